//! From flags and environment to a client, and running it.

use super::args::ServiceArgs;
use super::screen::Screen;
use crate::cli::output::Trouble;
use crate::client::{Client, Error, Kind, Options, Token};
use crate::exit;
use rangefinder_access::ClientTls;
use rangefinder_errors::Code;
use std::path::PathBuf;
use std::time::Duration;

/// A service as the command line names it.
pub(super) struct Service {
    options: Options,
    /// What the user has to add to a command for the same service.
    flags: String,
}

impl Service {
    /// What flags and environment say.
    pub(super) fn of(args: ServiceArgs) -> Result<Self, Trouble> {
        Self::read(args, |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(|value| value.to_string_lossy().into_owned())
        })
        .map_err(|error| Trouble::service(&error))
    }

    fn read(args: ServiceArgs, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let flags = match &args.server {
            Some(server) => format!(" --server {server}"),
            None => String::new(),
        };
        let server = args
            .server
            .or_else(|| variable("RANGEFINDER_SERVER"))
            .ok_or_else(|| {
                Error::new(
                    Kind::Input,
                    Code::ServerUnnamed,
                    "--server: no service is named",
                    "give its address, such as --server https://rangefinder.example:7070, or set \
                     RANGEFINDER_SERVER",
                )
            })?;
        let file = |flag: Option<PathBuf>, name| flag.or_else(|| variable(name).map(PathBuf::from));
        let token = match file(args.token_file, "RANGEFINDER_TOKEN_FILE") {
            Some(path) => Token::read(&path)?,
            None => match variable("RANGEFINDER_TOKEN") {
                Some(text) => Token::new(&text, "RANGEFINDER_TOKEN")?,
                None => {
                    return Err(Error::new(
                        Kind::Input,
                        Code::ClientToken,
                        "--token-file: no token is given, and a service lets nobody in without one",
                        "name a file that holds the token alone, or put the token into \
                         RANGEFINDER_TOKEN; the operator of the service makes one",
                    ));
                }
            },
        };
        let certificate = file(args.cert_file, "RANGEFINDER_CERT_FILE");
        let identity = match (certificate, file(args.key_file, "RANGEFINDER_KEY_FILE")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(half("--key-file", "--cert-file")),
            (None, Some(_)) => return Err(half("--cert-file", "--key-file")),
        };
        Ok(Self {
            options: Options {
                server,
                token,
                tls: ClientTls {
                    ca: file(args.ca_file, "RANGEFINDER_CA_FILE"),
                    identity,
                    server_name: args
                        .server_name
                        .or_else(|| variable("RANGEFINDER_SERVER_NAME")),
                },
                timeout: Duration::from_secs(args.timeout.into()),
            },
            flags,
        })
    }

    /// Its address.
    pub(super) fn server(&self) -> &str {
        &self.options.server
    }

    /// A command for the same service, to be typed.
    pub(super) fn command(&self, words: &str) -> String {
        format!("coordinator {words}{}", self.flags)
    }

    /// Does something with a client of it.
    pub(super) fn run(
        &self,
        screen: &Screen,
        work: impl AsyncFnOnce(Client) -> Result<u8, Trouble>,
    ) -> Result<u8, Trouble> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| refused(&error))?;
        let screen = screen.clone();
        let done = runtime.block_on(async {
            let client = Client::new(self.options.clone(), move |text| screen.note(text))
                .map_err(|error| Trouble::service(&error))?;
            work(client).await
        });
        // A file that is being read is nobody's loss.
        runtime.shutdown_background();
        done
    }
}

/// The operating system refuses something.
pub(super) fn refused(error: &std::io::Error) -> Trouble {
    let text = format!("the operating system refuses: {error}");
    Trouble::new(exit::FAILED, Code::System, text)
}

fn half(missing: &str, given: &str) -> Error {
    Error::new(
        Kind::Input,
        Code::MissingArgument,
        format!("{missing}: is missing beside {given}"),
        "give a certificate and its key, or neither",
    )
}
