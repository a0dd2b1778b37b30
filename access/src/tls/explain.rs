//! What a failed connection means, for people.

use rangefinder_errors::Code;
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use std::error::Error as StdError;
use std::io;

use crate::Error;

/// What a failed connection means, when TLS is what failed: says which certificate is at fault and
/// what to do, on whichever side. Nothing for failures of another kind.
///
/// Takes the error of a connection or of a call, and looks at all its causes.
#[must_use]
pub fn explain(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(of_tls(tls));
        }
        // The source of an `io::Error` is that of the error within, not the error within itself.
        let within = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref());
        cause = match within {
            Some(within) => Some(within),
            None => match alert_in(&error.to_string()) {
                Some(alert) => return Some(of_alert(alert)),
                None => error.source(),
            },
        };
    }
    None
}

/// The alert of which an error tells in words only: h2 keeps no more of what ended its connection,
/// which is how a client of TLS 1.3 hears that its certificate is not accepted.
fn alert_in(message: &str) -> Option<AlertDescription> {
    const ALERTS: [AlertDescription; 9] = [
        AlertDescription::CertificateRequired,
        AlertDescription::NoCertificate,
        AlertDescription::CertificateExpired,
        AlertDescription::UnknownCA,
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateUnknown,
        AlertDescription::DecryptError,
    ];
    let received =
        |&alert: &AlertDescription| message == rustls::Error::AlertReceived(alert).to_string();
    ALERTS.into_iter().find(received)
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(certificate) => of_certificate(certificate),
        rustls::Error::NoCertificatesPresented => Error::new(
            Code::ClientCertificate,
            "the client has shown no certificate, which this server demands",
            "give the client a certificate and key signed by the authority of the server's clients",
        ),
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Error::new(
            Code::NotTls,
            "the other side does not speak TLS",
            "write https:// where the server has TLS, and http:// where it has none",
        ),
        other => Error::new(
            Code::TlsHandshake,
            format!("no TLS connection: {other}"),
            "check that both sides are of this release, or speak TLS 1.2 or newer",
        ),
    }
}

/// This side has seen the other's certificate and does not accept it.
fn of_certificate(error: &CertificateError) -> Error {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Error::new(
            Code::CertificateDates,
            format!("the certificate of the other side is refused: {error}"),
            "renew it on the other side, and check the clocks of both",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Error::new(
                Code::ServerName,
                format!("the server's certificate is refused: {error}"),
                "call the server by a name of its certificate, give such a name as the server's \
                 name, or renew the certificate with the name in it",
            )
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Error::new(
            Code::UntrustedPeer,
            "the certificate of the other side is not signed by an authority that this side trusts",
            "give the certificate of the authority that signed it, or have it signed by the right \
             one",
        ),
        other => Error::new(
            Code::UntrustedPeer,
            format!("the certificate of the other side is refused: {other}"),
            "renew it on the other side as its reason says",
        ),
    }
}

/// The other side does not accept something of this one.
fn of_alert(alert: AlertDescription) -> Error {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => Error::new(
            Code::ClientCertificate,
            "the server demands a certificate of the client",
            "give a certificate and key signed by the authority of the server's clients",
        ),
        AlertDescription::CertificateExpired => Error::new(
            Code::CertificateDates,
            "the other side finds this side's certificate expired",
            "renew it, and check the clocks of both",
        ),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => Error::new(
            Code::UntrustedPeer,
            format!("the other side does not accept this side's certificate: {alert:?}"),
            "have it signed by the authority that the other side trusts, or give that side the \
             certificate of the authority that signed it",
        ),
        other => Error::new(
            Code::TlsHandshake,
            format!("the other side ended the TLS connection: {other:?}"),
            "check that both sides are of this release, or speak TLS 1.2 or newer",
        ),
    }
}
