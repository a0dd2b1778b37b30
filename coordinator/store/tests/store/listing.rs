//! Lists, pages and retention, held against plain ones.

use crate::common::{end, event, open, write};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rangefinder_store::{ACTIVE, Change, Filter, Retention, Store, Sweep, compact};
use std::cmp::Reverse;
use std::time::Duration;

const OWNERS: [&str; 3] = ["ann", "bob", ""];
const STATUSES: [&str; 4] = [ACTIVE, "done", "failed", "never seen"];

/// A sweep: owner, time of creation, and how and when it ends.
type Made = (usize, i64, Option<(usize, i64)>);

fn made() -> impl Strategy<Value = Made> {
    // Times collide and go back, as those of clocks do.
    (0..2_usize, 0..8_i64, option::of((1..3_usize, 0..8_i64)))
}

fn id(index: usize) -> String {
    format!("s-{index}")
}

fn fill(store: &Store, all: &[Made]) {
    let mut changes = Vec::new();
    for (index, (owner, created_ms, ended)) in all.iter().enumerate() {
        changes.push(Change::Create {
            id: id(index),
            owner: OWNERS[*owner].to_owned(),
            request_id: String::new(),
            unix_ms: *created_ms,
            spec: Vec::new(),
        });
        if let Some((status, ended_ms)) = ended {
            changes.push(end(&id(index), *ended_ms, STATUSES[*status]));
        }
    }
    write(&store.appender(), changes);
}

fn filter() -> impl Strategy<Value = Filter> {
    (
        option::of(0..OWNERS.len()),
        vec(0..STATUSES.len(), 0..3),
        option::of(0..8_i64),
        option::of(0..8_i64),
    )
        .prop_map(|(owner, statuses, from_ms, until_ms)| Filter {
            owner: owner.map(|owner| OWNERS[owner].to_owned()),
            statuses: statuses
                .into_iter()
                .map(|status| STATUSES[status].to_owned())
                .collect(),
            from_ms,
            until_ms,
        })
}

/// What a list should show, in its order.
fn listed(all: &[Made], filter: &Filter) -> Vec<String> {
    let mut shown: Vec<_> = all
        .iter()
        .enumerate()
        .filter(|(_, (owner, created_ms, ended))| {
            let status = ended.map_or(ACTIVE, |(status, _)| STATUSES[status]);
            filter
                .owner
                .as_ref()
                .is_none_or(|named| named == OWNERS[*owner])
                && (filter.statuses.is_empty()
                    || filter.statuses.iter().any(|named| named == status))
                && filter.from_ms.is_none_or(|from_ms| *created_ms >= from_ms)
                && filter
                    .until_ms
                    .is_none_or(|until_ms| *created_ms < until_ms)
        })
        .collect();
    shown.sort_by_key(|(index, (_, created_ms, _))| Reverse((*created_ms, *index)));
    shown.into_iter().map(|(index, _)| id(index)).collect()
}

/// Which should go: by age, and those beyond the last that ended.
fn expired(all: &[Made], retention: &Retention, now_ms: i64) -> Vec<String> {
    let mut ended: Vec<_> = all
        .iter()
        .enumerate()
        .filter_map(|(index, (_, _, ended))| ended.map(|(_, ended_ms)| (ended_ms, index)))
        .collect();
    ended.sort_unstable();
    let surplus = retention.max_ended.map_or(0, |max| {
        ended.len().saturating_sub(usize::try_from(max).unwrap())
    });
    let old = |ended_ms: i64| {
        retention
            .max_age
            .is_some_and(|age| ended_ms < now_ms - i64::try_from(age.as_millis()).unwrap())
    };
    ended
        .iter()
        .enumerate()
        .filter(|(rank, (ended_ms, _))| *rank < surplus || old(*ended_ms))
        .map(|(_, (_, index))| id(*index))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_put_together_are_the_list(
        all in vec(made(), 0..30),
        filters in vec((filter(), 1..7_usize), 12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        fill(&store, &all);
        let reader = store.reader();
        for (filter, limit) in filters {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = reader.list(&filter, after, limit).unwrap();
                prop_assert!(page.len() <= limit);
                let Some(last) = page.last() else {
                    break;
                };
                after = Some(last.position());
                seen.extend(page.into_iter().map(|sweep| sweep.id));
            }
            prop_assert_eq!(seen, listed(&all, &filter), "{:?}", filter);
        }
        let active = Filter { statuses: vec![ACTIVE.to_owned()], ..Filter::default() };
        let mut ids: Vec<_> = reader.active().unwrap().into_iter().map(|sweep| sweep.id).collect();
        ids.reverse();
        prop_assert_eq!(ids, listed(&all, &active));
    }

    #[test]
    fn what_expires_is_what_no_limit_keeps(
        all in vec(made(), 0..30),
        age in option::of(0..8_u64),
        max_ended in option::of(0..12_u64),
        now_ms in 0..12_i64,
        limit in 1..6_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        fill(&store, &all);
        let retention = Retention { max_age: age.map(Duration::from_millis), max_ended };
        let expected = expired(&all, &retention, now_ms);
        let ids = store.reader().expired(&retention, now_ms, limit).unwrap();
        prop_assert_eq!(&ids[..], &expected[..limit.min(expected.len())]);
        store.shutdown().unwrap();

        let done = compact(folder.path(), &retention, now_ms).unwrap();
        prop_assert_eq!(done.deleted, u64::try_from(expected.len()).unwrap());
        let reader = rangefinder_store::Reader::open(folder.path()).unwrap();
        let mut kept: Vec<Sweep> = reader.list(&Filter::default(), None, 100).unwrap();
        kept.retain(|sweep| expected.contains(&sweep.id));
        prop_assert_eq!(kept, []);
        prop_assert_eq!(reader.counts().unwrap().sweeps.values().sum::<u64>(), u64::try_from(all.len() - expected.len()).unwrap());
    }
}

#[test]
fn compacting_gives_the_room_of_deleted_sweeps_back_and_a_live_store_writes_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let log =
        |sweep: &str| -> Vec<Change> { (1..=500).map(|number| event(sweep, number)).collect() };
    fill(&store, &[(0, 1, Some((1, 2))), (0, 1, Some((1, 3)))]);
    write(&store.appender(), log("s-0"));
    let full = store.reader().counts().unwrap();
    let sweep = "s-0".to_owned();
    write(&store.appender(), vec![Change::Delete { sweep }]);
    let freed = store.reader().counts().unwrap();
    assert_eq!(freed.bytes, full.bytes, "a live store does not shrink");
    assert!(freed.free_bytes > full.bytes / 2);
    write(&store.appender(), log("s-1"));
    let refilled = store.reader().counts().unwrap();
    assert!(
        refilled.bytes <= full.bytes + full.bytes / 10,
        "it writes to what is free"
    );
    store.shutdown().unwrap();

    let keep_none = Retention {
        max_age: None,
        max_ended: Some(0),
    };
    let done = compact(folder.path(), &keep_none, 10).unwrap();
    assert_eq!((done.deleted, done.bytes_before), (1, refilled.bytes));
    assert!(done.bytes_after < done.bytes_before / 3, "{done:?}");
    let file = std::fs::metadata(folder.path().join("store.db")).unwrap();
    assert_eq!(file.len(), done.bytes_after);
    assert_eq!(
        rangefinder_store::check(folder.path()).unwrap().problems,
        []
    );
}
