//! Examples and pages of the manual of the commands that run a service and look after it.

use crate::cli::man::{AS_A_SWEEP, DONE_OR_NOT, Extra};

const RESUME: &str = "\
Examples:
  coordinator --model net.pt --data train.npz --workers 2 --data-dir sweep
      begin a sweep that may be interrupted
  coordinator resume sweep
      go on with it; once it has ended, write its files again";

const SERVE: &str = "\
Examples:
  coordinator token create --data-dir D --role client --name ann
  coordinator serve --data-dir D
      for programs on this machine alone
  coordinator serve --data-dir D --listen 0.0.0.0:4750 \\
      --tls-cert cert.pem --tls-key key.pem
      for other machines too";

const STORE: &str = "\
Examples:
  coordinator store check D
  coordinator store export D > sweeps.jsonl
  coordinator store compact D --keep-days 30";

const TOKEN: &str = "\
Examples:
  coordinator token create --data-dir D --role worker --name gpu7 --out w.token
  coordinator token list --data-dir D
  coordinator token revoke --data-dir D gpu-node-7";

/// The pages.
pub(in crate::cli) const PAGES: [Extra; 4] = [
    Extra {
        command: "resume",
        synopsis: "coordinator resume [OPTIONS] FOLDER",
        description: "\
            Goes on with a sweep that was interrupted, in whatever way, from the folder that was its \
            `--data-dir`. It keeps the plan, the threads and the worker program that it began with, \
            and its answer is the one that it would have had undisturbed. What was asked for at its \
            beginning, the folder of the files and the file of hyperparameters, is done at its end.\n\
            Of a sweep that has ended, the files are written again and the learning rate is printed \
            again.",
        codes: AS_A_SWEEP,
        examples: RESUME,
    },
    Extra {
        command: "serve",
        synopsis: "coordinator serve [OPTIONS] --data-dir FOLDER",
        description: "\
            Runs sweeps of many clients on workers of many machines, until a signal ends it. All that \
            it has accepted is in the folder before it says so: after a crash or a restart, on the \
            same folder, everything goes on where it was. Ctrl-C or SIGTERM parks it: workers keep \
            what they have, and come back.\n\
            Whoever connects needs a token, see coordinator-token(1). Off loopback it refuses to start \
            without a certificate, unless `--insecure` says that the network is safe.",
        codes: DONE_OR_NOT,
        examples: SERVE,
    },
    Extra {
        command: "store",
        synopsis: "coordinator store COMMAND [OPTIONS] FOLDER",
        description: "\
            Looks after the store that a service, or a sweep with `--data-dir`, has in its folder. To \
            check and to export changes nothing, and may be done while a coordinator runs on it.",
        codes: DONE_OR_NOT,
        examples: STORE,
    },
    Extra {
        command: "token",
        synopsis: "coordinator token COMMAND [OPTIONS]",
        description: "\
            Makes, lists and revokes the tokens of a service. A token is kept as a hash alone, so that \
            it can be shown only once, when it is made. A running service heeds a change at once.",
        codes: DONE_OR_NOT,
        examples: TOKEN,
    },
];
