//! From raw losses to an answer: every method and profile on every replica, one verdict.

use super::found::{Found, Outcome, near};
use super::noise::Noise;
use super::profiles::{self, Skips, Trace};
use super::rule::{self, Reading};
use super::verdict::{Judgement, judge};
use super::{
    Answer, Interval, Method, MethodValue, Profile, Request, SmoothedRequest, Suggestion, Value,
    Verdict, bootstrap, interval, methods, sentence,
};
use crate::curve::gaussian::{Gaussian, LogGrid};
use crate::plan::Warning;

/// Reads a learning rate off raw curves, with verdict, interval and what every other method gives.
///
/// Of several replicas the median of their suggestions is taken. Never panics: a curve that nothing
/// can be read off gets a verdict that says so.
#[must_use]
pub fn suggest(request: &Request<'_>) -> Answer {
    let curves = Curves::new(request);
    let judged = curves.judge();
    let found = curves.find(request.profile, request.method);
    let rule_value = found.value.clone();
    let (suggestion, lost) = curves.suggestion(&found, &judged);
    let mut warnings = judged.warnings;
    warnings.extend(lost);
    let smoothed = curves.smoothed();
    let mean = match smoothed.as_slice() {
        [only] => only.clone(),
        _ => judged.mean,
    };
    Answer {
        verdict: judged.verdict,
        suggestion,
        rule_value,
        methods: curves.others(),
        smoothed,
        mean,
        warnings,
    }
}

/// Reads a learning rate off losses that are already smoothed: nothing is smoothed or stopped, and
/// there is no `auto`, interval or verdict, which need raw losses.
#[must_use]
pub fn suggest_smoothed(request: &SmoothedRequest<'_>) -> MethodValue {
    let SmoothedRequest {
        learning_rates,
        smoothed,
        ..
    } = *request;
    let skips = Skips {
        begin: request.skip_begin,
        end: request.skip_end,
    };
    let outcome = match request.profile {
        Some(profile) => {
            profiles::read_off(profile, request.method, learning_rates, smoothed, skips)
        }
        None => {
            let finite = smoothed.iter().take_while(|loss| loss.is_finite()).count();
            methods::read_off(
                request.method,
                learning_rates,
                &smoothed[..finite],
                skips.begin.unwrap_or(0),
                skips.end.unwrap_or(0),
            )
        }
    };
    let label = label(request.profile, request.method);
    match outcome {
        Ok(found) => MethodValue::found(label, found),
        Err(why) => MethodValue::nothing(label, why),
    }
}

impl MethodValue {
    fn found(method: String, found: Found) -> Self {
        Self {
            value: Some(Value {
                lr: found.lr,
                index: u32::try_from(found.index).unwrap_or(u32::MAX),
                method: method.clone(),
            }),
            method,
            why: String::new(),
        }
    }

    fn nothing(method: String, why: String) -> Self {
        Self {
            method,
            value: None,
            why,
        }
    }
}

fn label(profile: Option<Profile>, method: Method) -> String {
    profile.map_or_else(
        || method.to_string(),
        |profile| profiles::label(profile, method),
    )
}

/// The curves of a request, prepared once for all methods.
struct Curves<'a> {
    request: &'a Request<'a>,
    /// The positions of the steps that our own methods look at, or why they are none.
    grid: Result<LogGrid, String>,
    /// First of those steps.
    first: usize,
    beta: f64,
    replicas: Vec<Replica<'a>>,
}

/// One replica as the rule sees it.
struct Replica<'a> {
    raw: &'a [f64],
    /// The losses between the skipped ones and the cut.
    losses: &'a [f64],
    reading: Option<Reading>,
}

/// The verdict with what goes with it.
struct Judged {
    verdict: Verdict,
    /// The smoothed mean curve, from step 0.
    mean: Vec<f64>,
    warnings: Vec<Warning>,
}

/// What a method finds on all replicas.
struct FoundOnAll {
    value: Option<Value>,
    why: String,
    /// What it finds on each replica where it finds something.
    each: Vec<Found>,
}

impl<'a> Curves<'a> {
    fn new(request: &'a Request<'a>) -> Self {
        let planned = request.learning_rates.len();
        // Skipped points are the profile's where one is asked for.
        let (begin, end) = match request.profile {
            None => (
                request.skip_begin.unwrap_or(0),
                request.skip_end.unwrap_or(0),
            ),
            Some(_) => (0, 0),
        };
        let kept = super::found::window(planned, begin, end);
        let beta = rule::effective_beta(request.beta);
        let grid = LogGrid::new(request.learning_rates)
            .map(|grid| grid.window(kept.start, kept.end))
            .map_err(|error| error.to_string());
        let replicas = request.replicas.iter().map(|raw| {
            let raw = &raw[..raw.len().min(planned)];
            let used = rule::cut(raw, cut_threshold(request));
            let losses = &raw[super::found::window(used, begin, end)];
            let reading = grid
                .as_ref()
                .ok()
                .and_then(|grid| rule::read(grid, losses, beta));
            Replica {
                raw,
                losses,
                reading,
            }
        });
        Self {
            request,
            first: kept.start,
            beta,
            replicas: replicas.collect(),
            grid,
        }
    }

    fn judge(&self) -> Judged {
        let grid = match &self.grid {
            Ok(grid) => grid,
            Err(message) => {
                return Judged {
                    verdict: Verdict {
                        usable: false,
                        reason: Some(super::Reason::TooFewPoints),
                        message: format!("no range test: {message}"),
                    },
                    mean: Vec::new(),
                    warnings: Vec::new(),
                };
            }
        };
        let averaged;
        let (losses, reading): (&[f64], Option<&Reading>) = match self.replicas.as_slice() {
            [only] => (only.losses, only.reading.as_ref()),
            _ => {
                averaged = self.average(grid);
                (&averaged.0, averaged.1.as_ref())
            }
        };
        // Of replicas the median is suggested, not what the rule reads off their mean.
        let suggested = interval::over_replicas(&self.log10_lrs(), 0.0).map(|(middle, _)| middle);
        let judgement = judge(grid, losses, reading).suggesting(suggested, grid);
        let facts = sentence::Facts {
            grid,
            used: losses.len(),
            log10_lr: match (suggested, reading) {
                (Some(suggested), Some(reading))
                    if judgement.reason == Some(super::Reason::RangeTooHigh) =>
                {
                    Some(suggested.min(reading.log10_lr))
                }
                _ => suggested.or(reading.map(|reading| reading.log10_lr)),
            },
        };
        let smoothed = match reading {
            Some(reading) => reading.smoothed.clone(),
            None => Gaussian::new(grid, losses.len()).smooth(losses),
        };
        Judged {
            verdict: sentence::verdict(&judgement, &facts),
            mean: self.padded(&smoothed),
            warnings: self.warnings(grid, &judgement),
        }
    }

    /// The mean of the individually clipped replicas up to the earliest loss that is not finite,
    /// cut, and what the rule makes of it.
    fn average(&self, grid: &LogGrid) -> (Vec<f64>, Option<Reading>) {
        let finite = |replica: &Replica<'_>| {
            let losses = replica.raw.iter();
            losses.take_while(|loss| loss.is_finite()).count()
        };
        let shared = self.replicas.iter().map(finite).min().unwrap_or(0);
        let count = self.replicas.len() as f64;
        let mut mean = vec![0.0; shared];
        for replica in &self.replicas {
            let clipped = Noise::of(&replica.raw[..shared]).clipped;
            for (sum, loss) in mean.iter_mut().zip(clipped) {
                *sum += loss / count;
            }
        }
        mean.truncate(rule::cut(&mean, cut_threshold(self.request)));
        let end = self.request.learning_rates.len() - self.first - grid.len();
        let kept = super::found::window(mean.len(), self.first, end);
        let losses = mean[kept].to_vec();
        let reading = rule::read(grid, &losses, self.beta);
        (losses, reading)
    }

    /// The rule's values of the replicas.
    fn log10_lrs(&self) -> Vec<f64> {
        let readings = self.replicas.iter().flat_map(|r| &r.reading);
        readings.map(|reading| reading.log10_lr).collect()
    }

    fn warnings(&self, grid: &LogGrid, judgement: &Judgement) -> Vec<Warning> {
        let mut warnings = Vec::new();
        warnings.extend(sentence::minimum_at_end(judgement, grid));
        let beta = self.request.beta.filter(|&beta| beta == self.beta);
        warnings.extend(sentence::not_measured_here(grid, beta));
        if let Some(given) = self.request.beta.filter(|&beta| beta != self.beta) {
            warnings.push(sentence::warning(
                "beta_out_of_range",
                format!(
                    "a momentum or beta1 of {given} is none: {} is reckoned with; give 0 up to, \
                     not including, 1 (`beta`)",
                    self.beta
                ),
            ));
        }
        warnings
    }

    /// What a method or profile finds.
    fn find(&self, profile: Option<Profile>, method: Method) -> FoundOnAll {
        let outcomes: Vec<Outcome> = self
            .replicas
            .iter()
            .map(|replica| match profile {
                Some(profile) => self.as_profile(profile, method, replica),
                None => self.as_method(method, replica),
            })
            .collect();
        let label = label(profile, method);
        let why = outcomes.iter().find_map(|outcome| outcome.clone().err());
        let each: Vec<Found> = outcomes.into_iter().flatten().collect();
        let median = match each.as_slice() {
            [] => None,
            [only] => Some(*only),
            several => self.median(several),
        };
        FoundOnAll {
            value: median.and_then(|found| MethodValue::found(label, found).value),
            why: why.unwrap_or_else(|| "there is no curve".to_owned()),
            each,
        }
    }

    fn as_method(&self, method: Method, replica: &Replica<'_>) -> Outcome {
        let grid = self.grid.as_ref().map_err(Clone::clone)?;
        let Some(reading) = &replica.reading else {
            return Err(format!(
                "{} losses are too few: at least {} are needed",
                replica.losses.len(),
                rule::FEWEST_LOSSES
            ));
        };
        let found = if method == Method::Auto {
            Found {
                lr: 10_f64.powf(reading.log10_lr),
                index: grid.nearest(reading.log10_lr),
            }
        } else {
            let rates = &self.request.learning_rates[self.first..];
            methods::read_off(method, rates, &reading.smoothed, 0, 0)?
        };
        if !(found.lr.is_finite() && found.lr > 0.0) {
            return Err("the losses are too large to reckon with".to_owned());
        }
        Ok(Found {
            index: found.index + self.first,
            ..found
        })
    }

    fn as_profile(&self, profile: Profile, method: Method, replica: &Replica<'_>) -> Outcome {
        let chosen = self.request.profile == Some(profile);
        let skips = Skips {
            begin: self.request.skip_begin.filter(|_| chosen),
            end: self.request.skip_end.filter(|_| chosen),
        };
        let trace = self.trace(profile, replica);
        let rates = self.request.learning_rates;
        profiles::read_off(profile, method, rates, &trace.smoothed, skips)
    }

    fn trace(&self, profile: Profile, replica: &Replica<'_>) -> Trace {
        let chosen = self.request.profile == Some(profile);
        profiles::trace(
            profile,
            replica.raw,
            self.request.threshold.filter(|_| chosen),
        )
    }

    /// The median over log10 of the learning rates.
    fn median(&self, found: &[Found]) -> Option<Found> {
        let (middle, _) = interval::over_replicas(&log10(found), 0.0)?;
        let exact = found.iter().find(|found| found.lr.log10() == middle);
        let lr = exact.map_or_else(|| 10_f64.powf(middle), |found| found.lr);
        Some(near(self.request.learning_rates, lr))
    }

    /// The suggestion, and a warning where replicas have none.
    fn suggestion(
        &self,
        found: &FoundOnAll,
        judged: &Judged,
    ) -> (Option<Suggestion>, Option<Warning>) {
        let Some(value) = &found.value else {
            return (None, None);
        };
        if self.request.profile.is_none() && !judged.verdict.usable {
            return (None, None);
        }
        let suggestion = Suggestion {
            lr: value.lr,
            index: value.index,
            method: value.method.clone(),
            interval: self.interval(found),
        };
        let (with, all) = (found.each.len(), self.replicas.len());
        let lost = (with < all).then(|| {
            sentence::warning(
                "replicas_without_suggestion",
                format!(
                    "{} of {all} replicas give no learning rate ({}): the suggestion is the median \
                     of the others",
                    all - with,
                    found.why
                ),
            )
        });
        (Some(suggestion), lost)
    }

    fn interval(&self, found: &FoundOnAll) -> Option<Interval> {
        let grid = self.grid.as_ref().ok()?;
        match self.replicas.as_slice() {
            [only] => {
                let own = self.request.profile.is_none() && self.request.method == Method::Auto;
                let reading = only.reading.as_ref().filter(|_| own)?;
                let seed = self.request.seed;
                Some(bootstrap::interval(
                    grid,
                    only.losses,
                    reading,
                    self.beta,
                    seed,
                ))
            }
            _ => {
                let index = usize::try_from(found.value.as_ref()?.index).ok()?;
                let step = grid.step_at(index.saturating_sub(self.first));
                interval::over_replicas(&log10(&found.each), step)?.1
            }
        }
    }

    /// The smoothed losses that the chosen method reads, of each replica.
    fn smoothed(&self) -> Vec<Vec<f64>> {
        self.replicas
            .iter()
            .map(|replica| match (self.request.profile, &self.grid) {
                (Some(profile), _) => self.trace(profile, replica).smoothed,
                (None, Ok(grid)) => match &replica.reading {
                    Some(reading) => self.padded(&reading.smoothed),
                    None => {
                        let gaussian = Gaussian::new(grid, replica.losses.len());
                        self.padded(&gaussian.smooth(replica.losses))
                    }
                },
                (None, Err(_)) => Vec::new(),
            })
            .collect()
    }

    /// What all methods and profiles but the chosen one give.
    fn others(&self) -> Vec<MethodValue> {
        let request = self.request;
        let chosen = label(request.profile, request.method);
        let own = Method::ALL.into_iter().map(|method| (None, method));
        let profiles = Profile::ALL.into_iter().flat_map(|profile| {
            let rules: &[Method] = match profile {
                Profile::Fastai => &profiles::FASTAI_METHODS,
                _ => &[Method::Auto],
            };
            rules.iter().map(move |&method| (Some(profile), method))
        });
        own.chain(profiles)
            .map(|(profile, method)| (label(profile, method), profile, method))
            .filter(|(label, ..)| *label != chosen)
            .map(|(label, profile, method)| {
                let found = self.find(profile, method);
                match found.value {
                    Some(_) => MethodValue {
                        method: label,
                        value: found.value,
                        why: String::new(),
                    },
                    None => MethodValue::nothing(label, found.why),
                }
            })
            .collect()
    }

    /// Smoothed losses by step: NaN for the skipped ones before them.
    fn padded(&self, smoothed: &[f64]) -> Vec<f64> {
        let skipped = if smoothed.is_empty() { 0 } else { self.first };
        let mut all = vec![f64::NAN; skipped];
        all.extend_from_slice(smoothed);
        all
    }
}

/// The threshold of the rule's cut: a profile's threshold is not the rule's.
fn cut_threshold(request: &Request<'_>) -> f64 {
    match request.profile {
        None => request.threshold.unwrap_or(rule::CUT_THRESHOLD),
        Some(_) => rule::CUT_THRESHOLD,
    }
}

fn log10(found: &[Found]) -> Vec<f64> {
    found.iter().map(|found| found.lr.log10()).collect()
}
