use super::*;
use proptest::prelude::*;

fn machine(count: u32) -> Listing {
    let gpus = (0..count)
        .map(|index| Gpu {
            index,
            uuid: uuid(index),
            name: "NVIDIA H100 80GB HBM3".to_owned(),
            memory_bytes: 80 << 30,
        })
        .collect();
    Listing { gpus }
}

/// GPUs 0 and 1 have UUIDs that begin alike.
fn uuid(index: u32) -> String {
    let head = if index < 2 { 0xaa } else { 0xb0 + index };
    format!("GPU-{head:02x}00000{index}-1111-2222-3333-444444444444")
}

/// Indices of the GPUs that the workers get; `None` for the CPU.
fn placed(
    workers: u32,
    request: Device,
    per_gpu: u32,
    gpus: u32,
    visible: Option<&str>,
) -> Result<Vec<Option<u32>>, Error> {
    let listing = machine(gpus);
    let placements = assign(workers, request, per_gpu, &listing, visible)?;
    Ok(placements
        .iter()
        .map(|placement| {
            let gpu = listing
                .gpus
                .iter()
                .find(|gpu| gpu.uuid == placement.cuda_visible_devices);
            match gpu {
                Some(gpu) => {
                    assert_eq!(placement.device, "cuda:0");
                    Some(gpu.index)
                }
                None => {
                    assert_eq!(placement.device, "cpu");
                    assert_eq!(placement.cuda_visible_devices, "-1");
                    None
                }
            }
        })
        .collect())
}

fn gpus(indices: &[u32]) -> Vec<Option<u32>> {
    indices.iter().copied().map(Some).collect()
}

#[test]
fn auto_gives_each_of_eight_workers_a_gpu_of_its_own() {
    assert_eq!(
        placed(8, Device::Auto, 1, 8, None),
        Ok(gpus(&[0, 1, 2, 3, 4, 5, 6, 7]))
    );
    assert_eq!(placed(3, Device::Auto, 1, 8, None), Ok(gpus(&[0, 1, 2])));
}

#[test]
fn auto_without_gpus_trains_on_the_cpu_with_any_number_of_workers() {
    assert_eq!(placed(3, Device::Auto, 1, 0, None), Ok(vec![None; 3]));
    assert_eq!(
        placed(3, Device::Auto, 1, 0, Some("0,1")),
        Ok(vec![None; 3])
    );
    assert_eq!(placed(2, Device::Auto, 1, 8, Some("")), Ok(vec![None; 2]));
}

#[test]
fn cpu_hides_the_gpus_from_the_workers() {
    assert_eq!(placed(9, Device::Cpu, 1, 8, None), Ok(vec![None; 9]));
}

#[test]
fn a_subset_by_index_keeps_its_order() {
    assert_eq!(
        placed(3, Device::Auto, 1, 8, Some("5, 2,7")),
        Ok(gpus(&[5, 2, 7]))
    );
    assert_eq!(
        placed(1, Device::Cuda(1), 1, 8, Some("5,2,7")),
        Ok(gpus(&[2]))
    );
}

#[test]
fn a_subset_by_uuid_takes_unambiguous_prefixes() {
    let value = format!("{},GPU-b5,GPU-aa000001", uuid(3));
    assert_eq!(
        placed(3, Device::Auto, 1, 8, Some(&value)),
        Ok(gpus(&[3, 5, 1]))
    );
    // GPU-aa is the beginning of two UUIDs, so the list ends there.
    assert_eq!(
        placed(1, Device::Auto, 1, 8, Some("GPU-b2,GPU-aa,GPU-b3")),
        Ok(gpus(&[2]))
    );
}

#[test]
fn the_list_ends_before_the_first_entry_that_is_not_valid() {
    let counts = [
        ("1,2,-1,3", 2),
        ("1,8,2", 1),
        ("1,x,2", 1),
        ("1,,2", 1),
        ("-1", 0),
        ("", 0),
        (" ", 0),
        ("none", 0),
        ("NoDevFiles", 0),
        ("8", 0),
        ("1gpu,2x", 2),
        ("+1", 1),
        ("GPU-b2,1", 1),
        ("1,GPU-b2", 1),
        ("GPU-zz", 0),
        ("99999999999999999999", 0),
    ];
    for (value, count) in counts {
        assert_eq!(
            visible::visible(&machine(8), Some(value)).len(),
            count,
            "{value:?}"
        );
    }
}

#[test]
fn a_repeated_entry_hides_all() {
    for value in ["1,2,1", "GPU-b2,GPU-b2", "GPU-b2,GPU-b20"] {
        assert!(
            visible::visible(&machine(8), Some(value)).is_empty(),
            "{value:?}"
        );
    }
}

#[test]
fn slices_of_a_gpu_are_taken_as_they_are_named() {
    let placements = assign(2, Device::Auto, 1, &machine(1), Some("MIG-aaaa,MIG-bbbb"));
    let visible: Vec<_> = placements
        .unwrap()
        .into_iter()
        .map(|placement| placement.cuda_visible_devices)
        .collect();
    assert_eq!(visible, ["MIG-aaaa", "MIG-bbbb"]);
}

#[test]
fn more_workers_than_gpus_is_an_error_that_names_both_ways_out() {
    let error = placed(5, Device::Auto, 1, 8, Some("0,1")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "5 workers do not fit on 2 GPUs with 1 worker a GPU; use `--workers 2`, or let more \
         workers share a GPU with `--workers-per-gpu 3`"
    );
    let error = placed(2, Device::Cuda(0), 1, 8, None).unwrap_err();
    assert!(matches!(error, Error::TooManyWorkers { gpus: 1, .. }));
    assert_eq!(error.code(), Code::TooManyWorkers);
}

#[test]
fn workers_share_gpus_evenly_where_they_may() {
    assert_eq!(
        placed(5, Device::Auto, 3, 2, None),
        Ok(gpus(&[0, 1, 0, 1, 0]))
    );
    assert_eq!(placed(2, Device::Cuda(1), 2, 8, None), Ok(gpus(&[1, 1])));
    assert!(placed(7, Device::Auto, 3, 2, None).is_err());
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_that_says_what_is() {
    let message = |gpus, index, visible| {
        let error = placed(1, Device::Cuda(index), 1, gpus, visible).unwrap_err();
        format!("[{}] {error}", error.code())
    };
    assert_eq!(
        message(0, 0, None),
        "[RF501] device `cuda:0` was asked for, but no GPU is visible (NVIDIA's driver lists none); \
         use `--device cpu`, or `--device auto` to take what there is"
    );
    assert!(message(8, 0, Some("-1")).contains("the machine has 8, CUDA_VISIBLE_DEVICES=\"-1\""));
    assert!(message(8, 8, None).starts_with("[RF502] "));
    assert!(message(8, 8, None).contains("the visible GPUs are `cuda:0` to `cuda:7`"));
    assert!(message(8, 1, Some("4")).contains("the visible GPUs are `cuda:0` only"));
}

proptest! {
    #[test]
    fn no_gpu_gets_more_workers_than_allowed_whatever_is_visible(
        workers in 1..40_u32,
        per_gpu in 0..5_u32,
        count in 0..9_u32,
        value in prop::option::of("(GPU-)?[-0-9a-b, ]{0,12}"),
    ) {
        let listing = machine(count);
        let placements = assign(workers, Device::Auto, per_gpu, &listing, value.as_deref());
        if let Ok(placements) = placements {
            prop_assert_eq!(placements.len(), workers as usize);
            for gpu in &listing.gpus {
                let sharing = placements.iter().filter(|p| p.cuda_visible_devices == gpu.uuid).count();
                prop_assert!(sharing <= per_gpu.max(1) as usize);
            }
        }
    }
}
