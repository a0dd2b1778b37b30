//! `Suggest` and `AnalyzeCurve`.

use rangefinder_proto::v1;
use rangefinder_service_tests::calls::{
    cancel, create, ended, get, mistakes, named, reason, replicas,
};
use rangefinder_service_tests::{ANN, Service};
use tonic::Code;

fn reading(method: &str) -> v1::Reading {
    v1::Reading {
        method: Some(method.to_owned()),
        ..v1::Reading::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_sweep_is_read_in_other_ways_and_stays_as_it_is() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("read")).await;
    let end = ended(&mut ann, &sweep.id).await;
    let before = get(&mut ann, &sweep.id).await.unwrap();
    let mut suggest = async |reading: Option<v1::Reading>| {
        let request = v1::SuggestRequest {
            sweep_id: sweep.id.clone(),
            reading,
        };
        let answer = ann.suggest(request).await?;
        Ok::<_, tonic::Status>(answer.into_inner().answer.unwrap())
    };
    // As it was read, where nothing is said.
    let same = suggest(None).await.unwrap();
    assert_eq!(same.suggestion, end.suggestion);
    assert_eq!(same.verdict, end.verdict);
    let methods: Vec<_> = same.methods.iter().map(|value| &*value.method).collect();
    for method in ["steepest", "minimum", "valley", "slide", "lightning"] {
        assert!(methods.contains(&method), "{methods:?}");
    }
    for method in ["drop50", "steepest", "minimum", "valley"] {
        let answer = suggest(Some(reading(method))).await.unwrap();
        assert_eq!(answer.suggestion.unwrap().method, method);
        let listed = same.methods.iter().find(|value| value.method == method);
        assert_eq!(answer.rule_value, listed.unwrap().lr, "{method}");
    }
    let skipping = v1::Reading {
        skip_end: Some(60),
        ..reading("minimum")
    };
    let fewer = suggest(Some(skipping)).await.unwrap();
    let all = suggest(Some(reading("minimum"))).await.unwrap();
    assert!(fewer.rule_value < all.rule_value, "{fewer:?} {all:?}");
    let tool = v1::Reading {
        profile: Some("lightning".to_owned()),
        ..v1::Reading::default()
    };
    assert!(suggest(Some(tool)).await.unwrap().rule_value.is_some());

    let wrong = v1::Reading {
        skip_begin: Some(u32::MAX),
        early_stop_threshold: Some(0.5),
        ..reading("best")
    };
    let refused = suggest(Some(wrong)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let fields: Vec<_> = mistakes(&refused)
        .into_iter()
        .map(|(field, ..)| field)
        .collect();
    assert!(fields.contains(&"reading.method".to_owned()), "{fields:?}");
    assert!(
        fields.contains(&"reading.early_stop_threshold".to_owned()),
        "{fields:?}"
    );
    assert_eq!(get(&mut ann, &sweep.id).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_completed_sweep_has_a_curve_to_read() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let sweep = create(&mut ann, named("waits")).await;
    let request = v1::SuggestRequest {
        sweep_id: sweep.id.clone(),
        reading: None,
    };
    for _ in 0..2 {
        let refused = ann.suggest(request.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason(&refused), "NOT_COMPLETED");
        cancel(&mut ann, &sweep.id).await.unwrap();
    }
}

/// Learning rates from 1e-6 to 1, and losses that fall and rise.
fn curve(steps: u32) -> (Vec<f64>, Vec<f64>) {
    let at = |step: u32| 10_f64.powf(-6.0 + 6.0 * f64::from(step) / f64::from(steps - 1));
    let rates: Vec<_> = (0..steps).map(at).collect();
    let noise = |rate: f64| 0.005 * (rate.ln() * 1000.0).sin();
    let loss = |rate: &f64| 0.3 + 2.0 / (1.0 + rate / 1e-3) + 20.0 * rate * rate + noise(*rate);
    let losses = rates.iter().map(loss).collect();
    (rates, losses)
}

fn request(learning_rates: &[f64], replicas: &[&[f64]]) -> v1::AnalyzeCurveRequest {
    v1::AnalyzeCurveRequest {
        learning_rates: learning_rates.to_vec(),
        replicas: replicas
            .iter()
            .map(|values| v1::Losses {
                values: values.to_vec(),
            })
            .collect(),
        ..v1::AnalyzeCurveRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curves_from_elsewhere_are_read_and_not_kept() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let mut analyze = async |request| {
        let answer = ann.analyze_curve(request).await?;
        Ok::<_, tonic::Status>(answer.into_inner().answer.unwrap())
    };
    let (rates, losses) = curve(100);
    let answer = analyze(request(&rates, &[&losses])).await.unwrap();
    let suggestion = answer.suggestion.unwrap();
    assert!((1e-5..1e-1).contains(&suggestion.lr), "{suggestion:?}");
    assert!(suggestion.interval.is_some());
    let three = analyze(request(&rates, &[&losses, &losses[..90], &losses])).await;
    assert!(three.unwrap().verdict.unwrap().usable);

    // NaN and infinities are ordinary: the curve ends there.
    let mut cut = losses.clone();
    cut[90] = f64::NAN;
    cut[91] = f64::INFINITY;
    let answer = analyze(request(&rates, &[&cut])).await.unwrap();
    assert!(answer.suggestion.is_some(), "{answer:?}");
    let nothing = vec![f64::NAN; 100];
    let answer = analyze(request(&rates, &[&nothing])).await.unwrap();
    assert!(!answer.verdict.as_ref().unwrap().usable && answer.suggestion.is_none());
    assert_ne!(answer.verdict.unwrap().reason, "");

    // Smoothed losses get a value and no verdict.
    let smoothed = v1::AnalyzeCurveRequest {
        smoothed: true,
        reading: Some(reading("minimum")),
        ..request(&rates, &[&losses])
    };
    let answer = analyze(smoothed).await.unwrap();
    assert!(
        answer.rule_value.is_some() && answer.verdict.is_none(),
        "{answer:?}"
    );

    // Stopped early; and planned so far that the rates leave the range of numbers.
    for planned in [101, 5000] {
        let stopped = v1::AnalyzeCurveRequest {
            num_training: Some(planned),
            ..request(&rates, &[&losses])
        };
        assert!(analyze(stopped).await.unwrap().verdict.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_curve_that_makes_no_sense_is_refused_by_field() {
    let service = Service::start().await;
    let mut ann = service.sweeps(ANN);
    let (rates, losses) = curve(20);
    let falling: Vec<_> = rates.iter().rev().copied().collect();
    let with = |change: &dyn Fn(&mut v1::AnalyzeCurveRequest)| {
        let mut request = request(&rates, &[&losses]);
        change(&mut request);
        request
    };
    let wrong = [
        (request(&falling, &[&losses]), "learning_rates"),
        (request(&[0.0; 20], &[&losses]), "learning_rates"),
        (request(&[f64::NAN; 20], &[&losses]), "learning_rates"),
        (request(&rates, &[]), "replicas"),
        (request(&rates, &[&[]]), "replicas"),
        (request(&rates[1..], &[&losses]), "replicas"),
        (
            with(&|request| request.num_training = Some(19)),
            "num_training",
        ),
        (
            with(&|request| request.num_training = Some(u32::MAX)),
            "num_training",
        ),
        (with(&|request| request.beta = Some(1.0)), "beta"),
        (with(&|request| request.beta = Some(f64::NAN)), "beta"),
        (
            with(&|request| request.reading = Some(reading("best"))),
            "reading.method",
        ),
        (
            v1::AnalyzeCurveRequest {
                smoothed: true,
                ..request(&rates, &[&losses, &losses])
            },
            "replicas",
        ),
    ];
    for (request, field) in wrong {
        let refused = ann.analyze_curve(request).await.expect_err(field);
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        let found = mistakes(&refused);
        assert!(
            found.iter().any(|(named, ..)| named == field),
            "{field}: {found:?}"
        );
        assert!(
            found.iter().all(|(_, code, _)| code.starts_with("RF")),
            "{found:?}"
        );
    }
    // More points than are read are refused, and so is a message that is too large.
    let rates: Vec<_> = (1..=1_000_001).map(f64::from).collect();
    let losses = vec![1.0; 1_000_001];
    let more = request(&rates[..20_001], &[&losses[..20_001]]);
    let refused = ann.analyze_curve(more).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert_eq!(mistakes(&refused)[0].0, "learning_rates");
    let refused = ann
        .analyze_curve(request(&rates, &[&losses, &losses, &losses]))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    assert!(refused.message().contains("too large"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_are_read_by_their_spread() {
    let service = Service::start().await;
    let _worker = service.worker("w1", "{}");
    let mut ann = service.sweeps(ANN);
    let request = v1::CreateSweepRequest {
        spec: Some(replicas(3, 100)),
        ..named("three")
    };
    let sweep = create(&mut ann, request).await;
    let end = ended(&mut ann, &sweep.id).await;
    let interval = end.suggestion.unwrap().interval.unwrap();
    assert_eq!(interval.method, "student_t");
}
