//! Examples and pages of the manual of the commands that ask a service.

use crate::cli::man::{AS_A_SWEEP, DONE_OR_NOT, Extra};
use crate::exit;

const SUBMIT: &str = "\
Examples:
  export RANGEFINDER_SERVER=https://rangefinder.example:7070
  coordinator submit --model net.pt --data train.npz
      upload both, follow the sweep, write the files
  coordinator submit --config sweep.toml --on-server --detach
      the files lie with the service; print the id and leave";

const WATCH: &str = "\
Examples:
  coordinator watch 3f2a --out found
      show it to its end, and write the files
  coordinator watch 3f2a --json-events
      one JSON object a line for each thing that happens";

const LIST: &str = "\
Examples:
  coordinator list
  coordinator list --state waiting,running --json";

const SHOW: &str = "\
Examples:
  coordinator show 3f2a
  coordinator show 3f2a --out found
      sweep.json, the CSV files and the pictures of one that has ended";

const CANCEL: &str = "\
Examples:
  coordinator cancel 3f2a";

const DELETE: &str = "\
Examples:
  coordinator delete 3f2a";

const SUGGEST: &str = "\
Examples:
  coordinator suggest 3f2a --method drop80
  coordinator suggest 3f2a --profile fastai --method slide --json";

const WORKERS: &str = "\
Examples:
  coordinator workers";

const DRAIN: &str = "\
Examples:
  coordinator drain gpu-node-7";

/// The pages.
pub(in crate::cli) const PAGES: [Extra; 9] = [
    Extra {
        command: "submit",
        synopsis: "coordinator submit [OPTIONS]",
        description: "\
            Has a service run a sweep, follows it, and ends as a sweep on this machine does: with \
            the learning rate on standard output and the files in a folder here. Files that the \
            specification names are uploaded, unless `--on-server` says that they lie with the \
            service. What is there already is not sent again, and an upload that was cut off goes on \
            where it stopped.\n\
            While the service is away, the command waits and tries again. The sweep is started once, \
            however often that takes. Ctrl-C leaves it running and says how to follow or end it; the \
            exit code is then 130, as for a sweep that was cancelled.\n\
            `RANGEFINDER_SERVER` names the service for all commands, `RANGEFINDER_TOKEN_FILE` or \
            `RANGEFINDER_TOKEN` the token; a token is never given as an argument, where other users \
            of the machine could read it.",
        codes: AS_A_SWEEP,
        examples: SUBMIT,
    },
    Extra {
        command: "watch",
        synopsis: "coordinator watch [OPTIONS] ID",
        description: "\
            Shows a sweep of a service from its first event on, or from `--from` on, until it has \
            ended, and then says what was found as a sweep on this machine does. A connection that is \
            lost is made again, and nothing is missed.\n\
            Ctrl-C leaves the sweep running and says so; the exit code is then 130, as for a sweep \
            that was cancelled.",
        codes: AS_A_SWEEP,
        examples: WATCH,
    },
    Extra {
        command: "list",
        synopsis: "coordinator list [OPTIONS]",
        description: "\
            Lists the sweeps of a service on standard output, newest first: your own, or with an \
            admin's token all of them, with their owners.",
        codes: DONE_OR_NOT,
        examples: LIST,
    },
    Extra {
        command: "show",
        synopsis: "coordinator show [OPTIONS] ID",
        description: "\
            Shows on standard output what a service knows of a sweep: what it waits for, how far it \
            is, what was found or why it failed. With `--out` the files of a sweep that has ended are \
            written, and their paths printed.",
        codes: DONE_OR_NOT,
        examples: SHOW,
    },
    Extra {
        command: "cancel",
        synopsis: "coordinator cancel [OPTIONS] ID",
        description: "\
            Ends a sweep of a service. Its curve goes as far as it is complete. One that has ended \
            stays as it is.",
        codes: DONE_OR_NOT,
        examples: CANCEL,
    },
    Extra {
        command: "delete",
        synopsis: "coordinator delete [OPTIONS] ID",
        description: "\
            Lets a service forget a sweep, with its events and its result. It must have ended, so \
            that no work is lost by a slip: `coordinator cancel` ends it.",
        codes: DONE_OR_NOT,
        examples: DELETE,
    },
    Extra {
        command: "suggest",
        synopsis: "coordinator suggest [OPTIONS] ID",
        description: "\
            Reads a learning rate off the curve of a completed sweep of a service with another \
            method, or as another tool does. Standard output is that of a sweep.",
        codes: &[
            exit::OK,
            exit::FAILED,
            exit::WRONG_INPUT,
            exit::NO_USABLE_LR,
        ],
        examples: SUGGEST,
    },
    Extra {
        command: "workers",
        synopsis: "coordinator workers [OPTIONS]",
        description: "\
            Lists on standard output the workers that are connected to a service, or were not long \
            ago, with what they work on.",
        codes: DONE_OR_NOT,
        examples: WORKERS,
    },
    Extra {
        command: "drain",
        synopsis: "coordinator drain [OPTIONS] WORKER",
        description: "\
            Lets a worker take no more work; it leaves when it is done with what it has. Needs an \
            admin's token.",
        codes: DONE_OR_NOT,
        examples: DRAIN,
    },
];
