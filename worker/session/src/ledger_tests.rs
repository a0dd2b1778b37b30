use super::*;

const RESEND: Duration = Duration::from_secs(1);
const NOW: Duration = Duration::ZERO;

fn losses(steps: Range<u64>) -> Vec<StepLoss> {
    steps
        .map(|step| StepLoss {
            step,
            lr: 1e-3,
            loss: 1.0,
            samples: 1,
        })
        .collect()
}

fn ack(next_step: u64) -> v1::Ack {
    v1::Ack {
        lease_token: 1,
        next_step,
        finished: false,
    }
}

fn sent_steps(ledger: &mut Ledger, now: Duration) -> Option<Vec<u64>> {
    match ledger.next_message(now, RESEND)? {
        Message::Observations(batch) => {
            Some(batch.observations.iter().map(|seen| seen.step).collect())
        }
        other => panic!("{other:?}"),
    }
}

fn with_losses(count: u64) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.grant(1, 0..count);
    ledger
        .record(1, count, &losses(0..count))
        .expect("in order");
    ledger
}

#[test]
fn a_message_holds_at_most_1000_losses() {
    let mut ledger = with_losses(2500);
    let sizes: Vec<_> = std::iter::from_fn(|| sent_steps(&mut ledger, NOW))
        .map(|steps| steps.len())
        .collect();
    assert_eq!(sizes, [1000, 1000, 500]);
}

#[test]
fn going_back_starts_at_the_first_step_not_acknowledged() {
    let mut ledger = with_losses(10);
    assert_eq!(sent_steps(&mut ledger, NOW), Some((0..10).collect()));
    ledger.acknowledge(NOW, RESEND, &ack(4));
    assert_eq!(sent_steps(&mut ledger, NOW), None);
    ledger.go_back();
    assert_eq!(sent_steps(&mut ledger, NOW), Some((4..10).collect()));
}

#[test]
fn a_late_acknowledgement_takes_nothing_back_and_a_wild_one_invents_nothing() {
    let mut ledger = with_losses(10);
    ledger.acknowledge(NOW, RESEND, &ack(6));
    ledger.acknowledge(NOW, RESEND, &ack(2));
    assert_eq!(sent_steps(&mut ledger, NOW), Some((6..10).collect()));
    ledger.acknowledge(NOW, RESEND, &ack(u64::MAX));
    ledger.check().expect("sound");
    assert!(!ledger.wants_to_send());
    assert!(ledger.holds(1));
}

#[test]
fn what_is_not_acknowledged_in_time_is_sent_again() {
    let mut ledger = with_losses(10);
    let _first = sent_steps(&mut ledger, NOW);
    assert_eq!(ledger.next_resend(), Some(RESEND));
    ledger.go_back_where_due(RESEND / 2);
    assert_eq!(sent_steps(&mut ledger, NOW), None);
    ledger.go_back_where_due(RESEND);
    assert_eq!(sent_steps(&mut ledger, RESEND), Some((0..10).collect()));
}

#[test]
fn a_gap_in_a_trainers_losses_is_refused() {
    let mut ledger = Ledger::default();
    ledger.grant(1, 5..10);
    let gap = ledger.record(1, 1, &losses(6..7)).expect_err("a gap");
    assert_eq!((gap.expected, gap.got), (5, 6));
}

#[test]
fn an_end_beyond_the_losses_becomes_a_failure() {
    let ledger = with_losses(10);
    let end = |reason, end| ledger.checked(1, Outcome::Finished { reason, end });
    let completed = v1::FinishReason::Completed;
    assert!(matches!(end(completed, 10), Outcome::Finished { .. }));
    assert!(matches!(end(completed, 9), Outcome::Failed(_)));
}

#[test]
fn a_ledger_that_is_full_has_room_for_no_further_lease() {
    let mut ledger = Ledger::default();
    let huge = 0..Ledger::MAX_STEPS + 1;
    assert!(ledger.has_room(&huge), "an empty ledger takes any task");
    ledger.grant(1, huge);
    assert!(!ledger.has_room(&(0..1)));

    let mut ledger = Ledger::default();
    for token in 0..64 {
        assert!(ledger.has_room(&(0..1)));
        ledger.grant(token, 0..1);
    }
    assert!(!ledger.has_room(&(0..1)));
}

#[test]
fn a_lease_handed_back_is_not_listed_and_is_forgotten_once_that_is_said() {
    let mut ledger = with_losses(10);
    ledger.hand_back(1, "leaving".to_owned());
    assert_eq!(ledger.held(), []);
    let message = ledger.next_message(NOW, RESEND);
    assert!(matches!(message, Some(Message::HandBack(_))));
    assert!(ledger.is_empty());
}
