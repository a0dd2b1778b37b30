//! Panics of the trainer become messages, not noise.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `body`; a panic in it comes back as a sentence that says what and where, and prints nothing.
///
/// The process's panic hook is extended once, for this purpose only: panics elsewhere print as ever.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                let place = info.location().map(ToString::to_string);
                PLACE.with_borrow_mut(|kept| *kept = place);
            } else {
                previous(info);
            }
        }));
    });
    QUIET.set(true);
    // What a panic left half done is not used again: the trainer's next job starts afresh.
    let result = catch_unwind(AssertUnwindSafe(body));
    QUIET.set(false);
    result.map_err(|payload| {
        let place = PLACE.take().unwrap_or_else(|| "unknown place".to_owned());
        format!("the trainer panicked at {place}: {}", words(&*payload))
    })
}

fn words(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
