//! What an engine with a store keeps, whatever becomes of it.

use super::stored::*;
use super::*;
use rangefinder_store::{Change, Reader, Store};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_engine_has_died_at_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::open(folder.path());
    first.handle.create(new_sweep()).await.unwrap();
    let created = crashed(folder.path());
    let mut worker = Worker::join(&first.handle).await;
    let lease = worker.until_assigned().await;
    let granted = crashed(folder.path());
    worker.observe(lease, 0..10).await;
    worker.until_acknowledged(10).await;
    let observed = crashed(folder.path());
    first.handle.cancel(sweep()).await.unwrap();
    let cancelled = crashed(folder.path());

    for (folder, steps, ended) in [
        (created, 0, false),
        (granted, 0, false),
        (observed, 10, false),
        (cancelled, 10, true),
    ] {
        let next = Running::open(folder.path());
        let view = next.view().await;
        match view {
            Some(view) => {
                assert_eq!(view.progress.steps_run, steps);
                assert_eq!(view.ended.is_some(), ended);
            }
            // Its document was made meanwhile.
            None => assert!(ended),
        }
        // The number of a lease is never given again.
        if steps > 0 && !ended {
            let mut worker = Worker::join(&next.handle).await;
            assert!(worker.until_assigned().await > lease);
        }
    }
}

#[tokio::test]
async fn a_sweep_goes_on_where_it_was_and_its_answer_and_the_numbers_of_its_events_are_as_without()
{
    let undisturbed = tempfile::tempdir().unwrap();
    let running = Running::open(undisturbed.path());
    running.handle.create(new_sweep()).await.unwrap();
    // Kept to the end: what a worker says that hangs up may not be heard.
    let mut worker = Worker::join(&running.handle).await;
    worker.work(0..STEPS).await;
    running.handle.stored(sweep()).await.unwrap();
    let expected = running.document();

    let folder = tempfile::tempdir().unwrap();
    let first = Running::open(folder.path());
    first.handle.create(new_sweep()).await.unwrap();
    let mut worker = Worker::join(&first.handle).await;
    let lease = worker.until_assigned().await;
    worker.observe(lease, 0..80).await;
    worker.until_acknowledged(80).await;
    let crashed = crashed(folder.path());

    let second = Running::open(crashed.path());
    let all = second.handle.subscribe(sweep(), 1).await.unwrap();
    let from_50 = second.handle.subscribe(sweep(), 50).await.unwrap();
    let mut worker = Worker::join(&second.handle).await;
    worker.work(0..STEPS).await;
    let late = second.handle.subscribe(sweep(), 50).await;
    second.handle.stored(sweep()).await.unwrap();
    let all = events(all).await;
    let numbers =
        |events: &[SweepEvent]| -> Vec<u64> { events.iter().map(|event| event.number).collect() };
    let last = u64::try_from(all.len()).unwrap();
    assert!(numbers(&all).into_iter().eq(1..=last));
    assert!(last > 150, "old events and new ones, got {last}");
    let after_50 = events(from_50).await;
    assert_eq!(after_50, all[49..]);
    // Whoever comes when the sweep has ended reads the same, as long as the engine knows it.
    if let Ok(late) = late {
        assert_eq!(events(late).await, all[49..]);
    }
    let reader = second.handle.reader().unwrap();
    let stored = crate::record::events(reader, &sweep(), 1, usize::MAX).unwrap();
    assert_eq!(stored, all);

    let document = second.document();
    let bits = |document: &SweepDocument| -> Vec<u64> {
        let losses = document.curve.loss.iter();
        losses.map(|loss| loss.to_bits()).collect()
    };
    assert_eq!(bits(&document), bits(&expected));
    assert_eq!(document.suggestion, expected.suggestion);
    assert_eq!(document.replicas[0].tasks[0].attempts.len(), 2);
}

#[tokio::test]
async fn a_request_makes_one_sweep_however_often_and_whenever_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::open(folder.path());
    let asked = |name: &str| NewSweep {
        id: SweepId(name.to_owned()),
        request_id: "r1".to_owned(),
        ..new_sweep()
    };
    let (one, other) = tokio::join!(
        first.handle.create(asked("one")),
        first.handle.create(asked("other")),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.sweep, other.sweep);
    assert_ne!(one.existing, other.existing);
    let again = Ok(Created {
        sweep: one.sweep.clone(),
        existing: true,
    });
    assert_eq!(first.handle.create(asked("third")).await, again);
    let of_another = NewSweep {
        owner: "bob".to_owned(),
        ..asked("bobs")
    };
    assert!(!first.handle.create(of_another).await.unwrap().existing);

    let second = Running::after(crashed(folder.path()));
    assert_eq!(second.handle.create(asked("fourth")).await, again);
    second.handle.cancel(one.sweep.clone()).await.unwrap();
    assert_eq!(second.handle.create(asked("fifth")).await, again);
    second.handle.stored(one.sweep.clone()).await.unwrap();
    assert_eq!(second.handle.create(asked("sixth")).await, again);
    let third = Running::after(crashed(&second.folder));
    assert_eq!(third.handle.create(asked("seventh")).await, again);

    // A name that is taken is no request that was made before.
    let taken = SweepId("bobs".to_owned());
    let same = NewSweep {
        id: taken.clone(),
        ..new_sweep()
    };
    assert_eq!(
        third.handle.create(same).await,
        Err(Error::SweepExists(taken))
    );
}

#[tokio::test]
async fn a_result_is_stored_when_it_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(folder.path());
    running.handle.create(new_sweep()).await.unwrap();
    let (stored, cancelled) = tokio::join!(
        running.handle.stored(sweep()),
        running.handle.cancel(sweep()),
    );
    stored.unwrap();
    cancelled.unwrap();
    let crashed = crashed(folder.path());
    let reader = Reader::open(crashed.path()).unwrap();
    assert!(reader.document("s").unwrap().is_some());
    assert!(reader.sweep("s").unwrap().unwrap().documented);
    // The engine has forgotten it; at once for whoever asks now.
    running.handle.stored(sweep()).await.unwrap();
    assert_eq!(running.view().await, None);
}

#[tokio::test]
async fn a_sweep_that_ended_without_its_result_gets_it_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(folder.path());
    running.handle.create(new_sweep()).await.unwrap();
    // Kept to the end: what a worker says that hangs up may not be heard.
    let mut worker = Worker::join(&running.handle).await;
    worker.work(0..STEPS).await;
    running.handle.stored(sweep()).await.unwrap();
    let expected = running.document();

    let without = without_document(running.handle.reader().unwrap());
    let next = Running::open(without.path());
    next.handle.stored(sweep()).await.unwrap();
    assert_eq!(next.document(), expected);
    let reader = next.handle.reader().unwrap();
    let row = reader.sweep("s").unwrap().unwrap();
    let summary = crate::record::read_summary(&row).unwrap();
    assert_eq!(summary.suggestion, expected.suggestion);
}

/// A store with the same sweep, from before its document was written.
fn without_document(reader: &Reader) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), rangefinder_store::Options::default()).unwrap();
    let row = reader.sweep("s").unwrap().unwrap();
    let mut changes = vec![Change::Create {
        id: row.id,
        owner: row.owner,
        request_id: row.request_id,
        unix_ms: row.created_ms,
        spec: reader.spec("s").unwrap().unwrap(),
    }];
    let events = reader.events("s", 1, usize::MAX).unwrap();
    changes.extend(events.into_iter().map(|event| Change::Event {
        sweep: "s".to_owned(),
        number: event.number,
        unix_ms: event.unix_ms,
        payload: event.payload,
    }));
    changes.push(Change::End {
        sweep: "s".to_owned(),
        unix_ms: row.ended_ms.unwrap(),
        status: row.status,
        summary: b"{\"last_event\":1,\"progress\":{\"steps_run\":0,\"steps_planned\":0,\"workers_busy\":0}}"
            .to_vec(),
    });
    let (told, durable) = std::sync::mpsc::channel();
    let on_durable = Box::new(move || told.send(()).unwrap());
    store.appender().append(changes, on_durable).unwrap();
    durable.recv().unwrap();
    store.shutdown().unwrap();
    folder
}

#[tokio::test]
async fn only_a_sweep_whose_result_is_stored_can_be_deleted_and_then_it_is_gone_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(folder.path());
    running.handle.create(new_sweep()).await.unwrap();
    let active = running.handle.delete(sweep()).await;
    assert_eq!(active, Err(Error::NotEnded(sweep())));
    running.handle.cancel(sweep()).await.unwrap();
    running.handle.stored(sweep()).await.unwrap();
    running.handle.delete(sweep()).await.unwrap();
    let crashed = crashed(folder.path());
    let reader = Reader::open(crashed.path()).unwrap();
    assert_eq!(reader.sweep("s").unwrap(), None);
    assert_eq!(reader.events("s", 1, 1).unwrap(), []);
    let again = running.handle.delete(sweep()).await;
    assert_eq!(again, Err(Error::UnknownSweep(sweep())));
}

#[tokio::test]
async fn sweeps_are_limited_together_and_for_each_owner_until_one_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        max_active: 2,
        max_active_per_owner: 1,
        ..Options::default()
    };
    let running = Running::with(options.clone(), folder.path());
    let of = |owner: &str| NewSweep {
        id: SweepId(format!("of-{owner}")),
        owner: owner.to_owned(),
        ..new_sweep()
    };
    let another = |owner: &str| NewSweep {
        id: SweepId(format!("another-of-{owner}")),
        ..of(owner)
    };
    let create = async |running: &Running, sweep| running.handle.create(sweep).await.map(|_| ());
    assert_eq!(create(&running, of("ann")).await, Ok(()));
    let too_many = Err(Error::TooManyOfOwner(1));
    assert_eq!(create(&running, another("ann")).await, too_many);
    assert_eq!(create(&running, of("bob")).await, Ok(()));
    let full = Err(Error::TooManySweeps(2));
    assert_eq!(create(&running, of("cid")).await, full);
    // It counts what was there before as well.
    let left = crashed(folder.path());
    let next = Running::with(options, left.path());
    assert_eq!(create(&next, of("cid")).await, full);
    next.handle.cancel(of("ann").id).await.unwrap();
    assert_eq!(create(&next, another("ann")).await, Ok(()));
}
