//! Workers that fail, or cannot be started.

use super::*;
use rangefinder_errors::Code;
use rangefinder_session::mock::FieldMistake;
use rangefinder_sweep::event::FailureKind;

#[tokio::test]
async fn the_message_of_the_worker_that_failed_is_the_error() {
    let _alone = ALONE.lock().await;
    let result = undisturbed(Split::None, 2, &faulty(50, Misdeed::Fail)).await;
    let message = &failure(&result).message;
    assert!(message.contains("step 50 failed as scripted"), "{message}");
    let panicked = undisturbed(Split::None, 2, &faulty(50, Misdeed::Panic)).await;
    let message = &failure(&panicked).message;
    assert!(
        message.contains("step 50 panicked as scripted"),
        "{message}"
    );
}

#[tokio::test]
async fn the_users_mistake_comes_back_as_field_errors_before_any_training() {
    let _alone = ALONE.lock().await;
    let mistake = FieldMistake {
        field: "batch_size".to_owned(),
        message: "4096 is more than the 1797 samples of the data".to_owned(),
        remedy: "use at most 1797".to_owned(),
    };
    let script = Config {
        mistakes: vec![mistake.clone()],
        ..Config::default()
    };
    let result = undisturbed(Split::None, 2, &script).await;
    let failure = failure(&result);
    assert_eq!(failure.kind, FailureKind::User);
    assert_eq!(failure.fields.len(), 1);
    let field = &failure.fields[0];
    assert_eq!(
        (&field.field, &field.message, &field.remedy),
        (&mistake.field, &mistake.message, &mistake.remedy)
    );
    assert_eq!(field.code, Code::FieldRefused, "the worker gave none");
    assert!(result.replicas.is_empty() || curves(&result).iter().all(Vec::is_empty));
}

#[tokio::test]
async fn a_worker_program_that_is_missing_is_an_error_with_the_remedy() {
    let _alone = ALONE.lock().await;
    let error = run(
        Split::None,
        1,
        &Config::default(),
        &options("/nowhere/worker"),
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("/nowhere/worker") && message.contains("does not exist"),
        "{message}"
    );
}

#[tokio::test]
async fn a_worker_that_dies_at_once_fails_the_sweep_soon_with_its_exit_code_and_last_words() {
    let _alone = ALONE.lock().await;
    let started = Instant::now();
    let mut options = options(WORKER);
    options.environment = vec![("RANGEFINDER_MOCK".into(), "not JSON".into())];
    let result = run(
        Split::None,
        2,
        &Config::default(),
        &options,
        CancellationToken::new(),
        &mut |_| {},
    )
    .await
    .unwrap();
    let message = &failure(&result).message;
    assert!(message.contains("exited with code 2"), "{message}");
    assert!(message.contains("script in RANGEFINDER_MOCK"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(5));
}
