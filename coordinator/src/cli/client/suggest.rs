//! `coordinator suggest`: a learning rate read off a sweep of a service in another way.

use super::args::SuggestArgs;
use super::follow::fetch;
use super::list::newer;
use super::screen::Screen;
use super::service::Service;
use crate::cli::answer;
use crate::cli::output::Trouble;
use crate::exit;
use crate::wire::sweeps;
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_report::{SweepDocument, terminal};

pub(in crate::cli) fn suggest(args: SuggestArgs) -> Result<u8, Trouble> {
    let service = Service::of(args.service)?;
    let reading = args.reading.message();
    service.run(&Screen::new(args.quiet), async |client| {
        let told = client
            .suggest(&args.id, reading.clone())
            .await
            .map_err(|error| Trouble::service(&error))?;
        let (sweep, _) = client
            .get(&args.id, false)
            .await
            .map_err(|error| Trouble::service(&error))?;
        let Some(mut document) = fetch(&client, &sweep, service.server()).await? else {
            let text = format!("sweep {} has no curve to read", args.id);
            return Err(Trouble::new(exit::WRONG_INPUT, Code::NotInThatState, text));
        };
        reread(&mut document, &reading, &told).map_err(|unknown| newer(&unknown))?;
        if !args.quiet {
            let (width, colour) = terminal::stderr_style();
            terminal::say(&terminal::summary(&document, None, width, colour));
        }
        answer::show(&document, args.json, None)?;
        Ok(answer::end(&document, args.quiet))
    })
}

/// Puts another reading of the curve in the place of the sweep's own. What the method smoothed is
/// not told: the raw losses stand alone.
fn reread(
    document: &mut SweepDocument,
    reading: &v1::Reading,
    told: &v1::CurveAnswer,
) -> Result<(), sweeps::Unknown> {
    let suggestion = told.suggestion.as_ref().map(sweeps::read_suggestion);
    let verdict = told.verdict.as_ref().map(sweeps::read_verdict);
    document.suggestion = suggestion.transpose()?;
    document.verdict = verdict.transpose()?;
    let method = match (&document.suggestion, &reading.profile, &reading.method) {
        (Some(suggestion), _, _) => suggestion.method.clone(),
        (None, Some(profile), _) => profile.clone(),
        (None, None, Some(method)) => method.clone(),
        (None, None, None) => match &document.rule_value {
            Some(value) => value.method.clone(),
            None => "auto".to_owned(),
        },
    };
    let rates = &document.learning_rates;
    document.rule_value = told
        .rule_value
        .map(|lr| sweeps::value_at(lr, &method, rates));
    document.methods = told
        .methods
        .iter()
        .map(|value| sweeps::read_method_value(value, rates))
        .collect();
    document.curve.smoothed.clear();
    for replica in &mut document.replicas {
        replica.curve.smoothed.clear();
        replica.suggestion = None;
        replica.rule_value = None;
    }
    // The others are said of the sweep's own reading.
    let plan = document.plan.as_ref();
    document
        .warnings
        .retain(|it| plan.is_some_and(|plan| plan.warnings.contains(it)));
    document.timings = rangefinder_report::document::Timings::default();
    Ok(())
}
