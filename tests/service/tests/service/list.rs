//! `ListSweeps`.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{self, cancel, create, list, named};
use rangefinder_service_tests::{ANN, BEN, ROOT, Service};

fn page(page_size: u32, page_token: &str) -> v1::ListSweepsRequest {
    v1::ListSweepsRequest {
        page_size,
        page_token: page_token.to_owned(),
        ..v1::ListSweepsRequest::default()
    }
}

/// Names on all pages, and how many pages there are.
async fn pages(
    sweeps: &mut calls::Sweeps,
    mut request: v1::ListSweepsRequest,
) -> (Vec<String>, usize) {
    let (mut names, mut pages) = (Vec::new(), 0);
    loop {
        let answer = list(sweeps, request.clone()).await.unwrap();
        names.extend(answer.sweeps.into_iter().map(|sweep| sweep.name));
        pages += 1;
        if answer.next_page_token.is_empty() {
            return (names, pages);
        }
        request.page_token = answer.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_each_sweep_once_while_others_come() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let mut names = Vec::new();
    for number in 0..7 {
        names.insert(0, format!("before {number}"));
        create(&mut ann, named(&names[0])).await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    for number in 0.. {
        let answer = list(&mut ann, page(2, &token)).await.unwrap();
        seen.extend(answer.sweeps.into_iter().map(|sweep| sweep.name));
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
        create(&mut ann, named(&format!("meanwhile {number}"))).await;
    }
    assert_eq!(seen, names);
    let (all, pages) = pages(&mut ann, page(5, "")).await;
    assert_eq!((all.len(), pages), (10, 2), "a full last page is the last");
    assert_eq!(all[3..], names);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_what_is_listed() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let mut ben = service.sweeps(BEN);
    let mut root = service.sweeps(ROOT);
    for name in ["a-1", "b-1", "a-2", "b-2"] {
        create(&mut ann, named(name)).await;
    }
    let last = create(&mut ben, named("a-3")).await;
    cancel(&mut ben, &last.id).await.unwrap();

    let prefix = |name_prefix: &str| v1::ListSweepsRequest {
        name_prefix: name_prefix.to_owned(),
        ..page(1, "")
    };
    assert_eq!(
        pages(&mut ann, prefix("a-")).await,
        (vec!["a-2".into(), "a-1".into()], 2)
    );
    assert_eq!(
        pages(&mut root, prefix("a-")).await.0,
        ["a-3", "a-2", "a-1"]
    );
    assert_eq!(pages(&mut ann, prefix("c")).await.0, [""; 0]);

    let states = |states: &[v1::SweepState]| v1::ListSweepsRequest {
        states: states.iter().map(|&state| state.into()).collect(),
        ..page(2, "")
    };
    let waiting = v1::SweepState::Waiting;
    let cancelled = v1::SweepState::Cancelled;
    assert_eq!(pages(&mut root, states(&[cancelled])).await.0, ["a-3"]);
    assert_eq!(pages(&mut root, states(&[waiting])).await.0.len(), 4);
    assert_eq!(
        pages(&mut root, states(&[waiting, cancelled]))
            .await
            .0
            .len(),
        5
    );
    assert_eq!(
        pages(&mut root, states(&[v1::SweepState::Running])).await.0,
        [""; 0]
    );

    let owner = |owner: &str| v1::ListSweepsRequest {
        owner: owner.to_owned(),
        ..page(0, "")
    };
    assert_eq!(pages(&mut root, owner(BEN)).await.0, ["a-3"]);
    assert_eq!(pages(&mut ann, owner(ANN)).await.0.len(), 4);
    assert_eq!(pages(&mut ann, owner(BEN)).await.0, [""; 0]);

    // In lists specifications are left out, all else is there.
    let listed = list(&mut ann, page(1, "")).await.unwrap().sweeps.remove(0);
    let got = calls::get(&mut ann, &listed.id).await.unwrap().0;
    assert!(got.spec.is_some());
    assert_eq!(listed, v1::Sweep { spec: None, ..got });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_behind_a_thousand_others_is_found() {
    let service = Service::builder()
        .with(&["--max-sweeps", "2000", "--max-sweeps-per-client", "2000"])
        .start()
        .await;
    let mut ann = service.sweeps(ANN);
    create(&mut ann, named("needle")).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let mut sweeps = ann.clone();
        calls.spawn(async move {
            for _ in 0..63 {
                create(&mut sweeps, named("hay")).await;
            }
        });
    }
    calls.join_all().await;
    let request = v1::ListSweepsRequest {
        name_prefix: "needle".to_owned(),
        ..page(1, "")
    };
    let found = list(&mut ann, request).await.unwrap();
    assert_eq!(found.sweeps.len(), 1);
    assert_eq!(found.next_page_token, "");
    // A page has 100 where nothing is said, and 1000 at most.
    for (asked, given) in [(0, 100), (3, 3), (1000, 1000), (u32::MAX, 1000)] {
        let answer = list(&mut ann, page(asked, "")).await.unwrap();
        assert_eq!(answer.sweeps.len(), given);
        assert_ne!(answer.next_page_token, "");
    }
}
