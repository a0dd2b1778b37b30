//! A mock worker, as lean as can be: it answers what it is asked, and reports losses at its pace.

use crate::fleet::{Pace, Shared};
use rangefinder_proto::v1::connect_request::Message;
use rangefinder_proto::v1::connect_response::Message as Order;
use rangefinder_proto::v1::worker_service_client::WorkerServiceClient;
use rangefinder_proto::{PROTOCOL_VERSION, v1};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How far from its time a report may be sent, in shares of the pace.
const JITTER: f64 = 0.1;
/// Before a connection is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The loss that a mock worker observes: a function of replica and step alone. It falls by two
/// thirds of the range and stays, with noise in all of its digits.
#[must_use]
pub fn loss(replica: u32, step: u32, steps: u32) -> f64 {
    let seed = u64::from(replica) << 32 | u64::from(step);
    let noise = fastrand::Rng::with_seed(seed).f64() - 0.5;
    let place = f64::from(step) / f64::from(steps.max(1));
    let fallen = 1.0 / (1.0 + (-20.0 * (place - 0.6)).exp());
    (2.3 - 2.0 * fallen) * (1.0 + 0.02 * noise)
}

/// A task that is being run.
struct Task {
    token: u64,
    replica: u32,
    rates: Vec<f64>,
    /// Step of the first rate.
    first: u32,
    /// The next step to report.
    next: u32,
    end: u32,
    /// Reports that are not acknowledged, the oldest first.
    sent: VecDeque<Sent>,
}

/// A report that is not acknowledged.
struct Sent {
    /// Its first step, and the one after its last.
    steps: Range<u32>,
    at: Instant,
}

/// One worker.
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pace: Pace,
    pub(crate) random: fastrand::Rng,
}

impl Worker {
    /// Runs until it is dropped; whoever cuts its connection is connected to again.
    pub(crate) async fn run(mut self) {
        loop {
            match self.connected().await {
                Ok(()) => self.shared.tell("a stream has ended"),
                Err(status) => self.shared.tell(&format!("a stream broke: {status}")),
            }
            self.shared.lost_streams.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// One connection, until it ends.
    async fn connected(&mut self) -> Result<(), Status> {
        let endpoint = Endpoint::from(self.shared.coordinator.clone()).tcp_nodelay(true);
        let broken = |error: tonic::transport::Error| Status::unavailable(format!("{error:?}"));
        let channel = endpoint.connect().await.map_err(broken)?;
        let (outbox, messages) = mpsc::unbounded_channel();
        let send = |message| {
            let request = v1::ConnectRequest {
                message: Some(message),
            };
            // A stream that has ended says so where it is read.
            let _ = outbox.send(request);
        };
        send(Message::Hello(v1::Hello {
            worker_id: self.name.clone(),
            incarnation: 1,
            protocol_version: PROTOCOL_VERSION,
            device: "cpu".to_owned(),
            ..v1::Hello::default()
        }));
        let mut request = Request::new(UnboundedReceiverStream::new(messages));
        let authorization = self.shared.authorization.clone();
        request
            .metadata_mut()
            .insert("authorization", authorization);
        let mut client = WorkerServiceClient::new(channel);
        let mut orders = client.connect(request).await?.into_inner();
        let _counted = self.shared.connected();

        let started = Instant::now() + self.pace.period.mul_f64(self.random.f64());
        let mut reports: u32 = 0;
        let mut next_report = started;
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut task: Option<Task> = None;
        loop {
            tokio::select! {
                order = orders.message() => match order? {
                    None => return Ok(()),
                    Some(v1::ConnectResponse { message }) => {
                        if let Some(order) = message {
                            self.obey(order, &mut task, send);
                        }
                    }
                },
                () = tokio::time::sleep_until(next_report) => {
                    self.shared.late.record(next_report.elapsed());
                    match &mut task {
                        Some(task) => self.report(task, send),
                        None => {
                            self.shared.idle.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    // On a grid, so that jitter does not add up, and late reports are made up for.
                    reports += 1;
                    let jitter = 1.0 + JITTER * (self.random.f64() - 0.5);
                    next_report = started + self.pace.period * (reports - 1) + self.pace.period.mul_f64(jitter);
                }
                _ = heartbeat.tick() => {
                    let held = task.as_ref().map(|task| v1::HeldLease {
                        lease_token: task.token,
                        progress: u64::from(task.next - task.first),
                        ..v1::HeldLease::default()
                    });
                    send(Message::Heartbeat(v1::Heartbeat {
                        leases: held.into_iter().collect(),
                        leaving: false,
                    }));
                }
            }
        }
    }

    fn obey(&self, order: Order, task: &mut Option<Task>, send: impl Fn(Message)) {
        match order {
            Order::Describe(order) => send(Message::Described(described(order.lease_token))),
            Order::Probe(order) => send(Message::Probed(v1::Probed {
                lease_token: order.lease_token,
                initial_loss: 2.3,
                gradient_squared: 0.01,
                gradient_l1: 1.0,
                seconds_per_step: 0.01,
                peak_memory_bytes: 0,
            })),
            Order::Assign(order) => {
                let step = |step| u32::try_from(step).unwrap_or(u32::MAX);
                let first = step(order.warm_up_start);
                *task = Some(Task {
                    token: order.lease_token,
                    replica: order.replica,
                    rates: order.learning_rates,
                    first,
                    next: first,
                    end: step(order.end),
                    sent: VecDeque::new(),
                });
                self.shared.assigned.fetch_add(1, Ordering::Relaxed);
            }
            Order::Ack(ack) => self.acknowledged(&ack, task),
            Order::Stop(stop) => {
                if task
                    .take_if(|task| task.token == stop.lease_token)
                    .is_some()
                {
                    self.shared.stopped.fetch_add(1, Ordering::Relaxed);
                    let reason = stop.reason().as_str_name();
                    self.shared.tell(&format!("a task was stopped: {reason}"));
                }
            }
            Order::Welcome(_) | Order::Desired(_) | Order::Drain(_) => {}
        }
    }

    /// The next losses of a task, and its end after the last one.
    fn report(&self, task: &mut Task, send: impl Fn(Message)) {
        let until = task.end.min(task.next.saturating_add(self.pace.batch));
        if task.next == until {
            // Its end is on the way.
            self.shared.idle.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let observations = (task.next..until)
            .zip(task.rates.iter().skip((task.next - task.first) as usize))
            .map(|(step, rate)| v1::Observation {
                step: step.into(),
                learning_rate: *rate,
                loss: loss(task.replica, step, task.end),
                samples: 64,
            })
            .collect();
        let count = u64::from(until - task.next);
        self.shared.sent.fetch_add(count, Ordering::Relaxed);
        send(Message::Observations(v1::Observations {
            lease_token: task.token,
            observations,
        }));
        task.sent.push_back(Sent {
            steps: task.next..until,
            at: Instant::now(),
        });
        task.next = until;
        if until == task.end {
            send(Message::Finished(v1::Finished {
                lease_token: task.token,
                reason: v1::FinishReason::Completed.into(),
                end: task.end.into(),
            }));
        }
    }

    fn acknowledged(&self, ack: &v1::Ack, task: &mut Option<Task>) {
        let Some(running) = task.as_mut().filter(|task| task.token == ack.lease_token) else {
            return;
        };
        let covered = |sent: &mut Sent| u64::from(sent.steps.end) <= ack.next_step;
        while let Some(sent) = running.sent.pop_front_if(covered) {
            self.shared.latencies.record(sent.at.elapsed());
            let count = u64::from(sent.steps.end - sent.steps.start);
            self.shared.acknowledged.fetch_add(count, Ordering::Relaxed);
        }
        if ack.finished {
            *task = None;
            self.shared.finished.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What it says of model and data.
fn described(lease_token: u64) -> v1::Described {
    v1::Described {
        lease_token,
        parameters: vec![v1::Parameter {
            name: "weight".to_owned(),
            shape: vec![10, 64],
        }],
        parameter_count: 640,
        initial_loss: 2.3,
        optimizer: "adamw".to_owned(),
        beta: Some(0.9),
        seekable: true,
        replayable: true,
        samples: 1797,
        steps_per_epoch: 29,
        effective_batch_size: 64,
    }
}
