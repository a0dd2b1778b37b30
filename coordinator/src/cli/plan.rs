//! `coordinator plan`: how a sweep would be split. No worker is started: what only a worker knows
//! is taken at its best (data that can be sought, steps that can be replayed), and nothing is
//! pruned.

use super::args::PlanArgs;
use super::output::{Trouble, print};
use super::request;
use crate::exit;
use rangefinder_config::trainability;
use rangefinder_report::document::effective_batch_size;
use rangefinder_report::terminal;
use rangefinder_sweep::plan::{self, Plan};
use serde::Serialize;
use std::io::IsTerminal as _;

/// What `--json` prints.
#[derive(Serialize)]
struct PlanDocument<'a> {
    spec: &'a rangefinder_proto::v1::SweepSpec,
    plan: &'a Plan,
    may_be_shortened_by_a_probe: bool,
}

pub(super) fn run(args: PlanArgs) -> Result<u8, Trouble> {
    let json = args.json;
    let resolved = request::resolved(args.request)?;
    let request = &resolved.request.plan;
    let trainability = trainability(&resolved);
    let plan =
        plan::plan(request, trainability, None).map_err(|error| Trouble::fields(&[error]))?;
    let shortened = plan::could_use_probe(request, trainability);
    let text = if json {
        let document = PlanDocument {
            spec: &resolved.spec,
            plan: &plan,
            may_be_shortened_by_a_probe: shortened,
        };
        serde_json::to_string(&document).map_err(|error| Trouble::not_json(&error))?
    } else {
        let (width, colour) = if std::io::stdout().is_terminal() {
            terminal::stderr_style()
        } else {
            (80, false)
        };
        let lrs = request.range.learning_rates();
        let batch = effective_batch_size(&resolved.spec);
        let drawing = terminal::plan(&plan, &lrs, batch, width, colour);
        let mut text = format!("{}\n", drawing.trim_end());
        if shortened {
            let note = "Workers will measure the gradients first: warm-ups may become shorter than \
                        shown.";
            text.push_str(&format!("\n{}\n", terminal::fold(note, width, 0)));
        }
        text
    };
    print(&text)?;
    Ok(exit::OK)
}
