//! A network of the suite's own: a TCP proxy in front of the coordinator that holds back, delays and
//! cuts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Bytes that are passed on at a time.
const CHUNK: usize = 16 << 10;

/// A direction of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the coordinator.
    Up,
    /// From the coordinator.
    Down,
}

/// How the network is now.
#[derive(Clone, Debug)]
struct Weather {
    /// Where the coordinator listens; none while there is none.
    target: Option<SocketAddr>,
    /// Whether nothing gets through to the coordinator: what is sent waits.
    up_held: bool,
    /// The same from the coordinator.
    down_held: bool,
    /// Whether new connections are closed at once.
    refuses: bool,
    /// How long everything takes.
    delay: Duration,
    /// How often all connections were cut.
    cuts: u64,
}

impl Weather {
    fn holds(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.up_held,
            Direction::Down => self.down_held,
        }
    }
}

/// A line to the coordinator. Dropped, it is cut.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    made: watch::Receiver<u64>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    /// A line that leads nowhere yet.
    ///
    /// # Errors
    /// When the operating system gives no port.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, forecast) = watch::channel(Weather {
            target: None,
            up_held: false,
            down_held: false,
            refuses: false,
            delay: Duration::ZERO,
            cuts: 0,
        });
        let (count, made) = watch::channel(0);
        let serving = tokio::spawn(async move {
            let mut carried = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                while carried.try_join_next().is_some() {}
                carried.spawn(carry(stream, forecast.clone(), count.clone()));
            }
        });
        Ok(Self {
            address,
            weather,
            made,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to a coordinator.
    pub fn lead_to(&self, target: SocketAddr) {
        self.weather.send_modify(|weather| weather.target = Some(target));
    }

    /// Keeps back whatever is sent in a direction; nothing is lost, and nobody is told.
    pub fn hold(&self, direction: Direction) {
        self.weather.send_modify(|weather| match direction {
            Direction::Up => weather.up_held = true,
            Direction::Down => weather.down_held = true,
        });
    }

    /// Cuts all connections and refuses new ones; what was kept back is lost.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| {
            weather.refuses = true;
            weather.cuts += 1;
        });
    }

    /// Everything takes so much longer.
    pub fn delay(&self, by: Duration) {
        self.weather.send_modify(|weather| weather.delay = by);
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        self.weather.send_modify(|weather| {
            weather.up_held = false;
            weather.down_held = false;
            weather.refuses = false;
        });
    }

    /// How many connections have reached the coordinator since the beginning.
    #[must_use]
    pub fn made(&self) -> watch::Receiver<u64> {
        self.made.clone()
    }
}

/// Carries one connection until either end or the weather ends it.
async fn carry(
    client: TcpStream,
    mut weather: watch::Receiver<Weather>,
    made: watch::Sender<u64>,
) {
    let (target, cuts) = {
        let now = weather.borrow();
        (now.target.filter(|_| !now.refuses), now.cuts)
    };
    let Some(target) = target else { return };
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // Small messages are not to wait for each other.
    let _slower = (client.set_nodelay(true), server.set_nodelay(true));
    made.send_modify(|count| *count += 1);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, weather.clone(), Direction::Up) => {}
        () = pump(from_server, to_client, weather.clone(), Direction::Down) => {}
        _ = weather.wait_for(|weather| weather.cuts != cuts) => {}
    }
}

/// Passes on one direction until its end.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    direction: Direction,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if weather.wait_for(|now| !now.holds(direction)).await.is_err()
            || to.write_all(&chunk[..count]).await.is_err()
        {
            return;
        }
    }
}
