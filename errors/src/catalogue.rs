//! The codes, with what they mean and what to do. Numbers are grouped by hundreds.

/// Makes the codes: `Name = number [exit codes], "meaning", "what to do";`.
macro_rules! catalogue {
    ($($group:ident, $title:literal { $(
        $name:ident = $number:literal [$($exit:literal),+], $meaning:literal, $remedy:literal;
    )+ })+) => {
        /// A kind of mistake or failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $meaning] $name = $number,)+)+
        }

        /// What codes are about; the hundreds of their numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Group {
            $(#[doc = $title] $group,)+
        }

        impl Group {
            /// All groups, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$group),+];

            /// Its heading.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$group => $title,)+ }
            }
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// Its number.
            #[must_use]
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// What it is about.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $($(Self::$name)|+ => Group::$group,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$name => $meaning,)+)+ }
            }

            /// What to do about it, in a sentence.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $($(Self::$name => $remedy,)+)+ }
            }

            /// The exit codes of a program that ends with it.
            #[must_use]
            pub const fn exits(self) -> &'static [u8] {
                match self { $($(Self::$name => &[$($exit),+],)+)+ }
            }
        }
    };
}

catalogue! {
    CommandLine, "Command line and configuration file" {
        UnknownOption = 101 [2], "An option, an argument or a command is unknown.", "Take the name that is suggested; `coordinator --help` lists all, the worker program takes none.";
        WrongType = 102 [2], "A value is not of the type that its option or key takes: not a number, not a whole number, not `true` or `false`, not text.", "Write a value of that type; `coordinator --print-config` shows one for every key.";
        MissingArgument = 103 [2], "An option stands without its value, or without another one that it needs, or an argument is missing.", "Add what the message names.";
        Conflict = 104 [2], "Two options, or an option and a command, exclude each other.", "Leave one of them out.";
        UnknownKey = 105 [2], "A key of the configuration file is unknown.", "Take the key that is suggested; `coordinator --print-config` lists all.";
        FlagNotKey = 106 [2], "A key of the configuration file is a flag: it belongs to one run, not to the sweep.", "Remove the key and give the flag on the command line.";
        SettingsSyntax = 107 [2], "A file of settings is not the TOML, YAML or JSON that its name says.", "Correct it on the line that is named.";
        SettingsFormat = 108 [2], "The name of a file of settings does not tell its format.", "Let it end in `.toml`, `.yaml`, `.yml` or `.json`.";
        WorkerCommand = 109 [2], "`--worker-command` cannot be split into words, or is empty.", "Quote it as for a shell.";
        EntryWithoutWorker = 110 [2], "`entry` names a training loop, and Rangefinder's own worker cannot run it.", "Name the program that can with `--worker-command`, or remove `entry` and name a model.";
    }
    Options, "Values of options" {
        UnknownName = 201 [2], "A value is none of the names that its option knows.", "Take one of the names in the message.";
        OutOfRange = 202 [2], "A number is outside of its range.", "Take one within the range that the message gives.";
        DoesNotApply = 203 [2], "An option means nothing beside the others, such as `--beta1` with `sgd`.", "Remove it, or choose what it goes with.";
        Missing = 204 [2], "An option that is needed here is missing or empty.", "Give it.";
        EmptyRange = 205 [2], "The lowest learning rate is not below the highest.", "Lower `--min-lr` or raise `--max-lr`: 4 to 9 decades are usual.";
        NarrowRange = 206 [2], "The range is so narrow that neighbouring steps would have the same learning rate.", "Widen it.";
        TooFewSteps = 207 [2], "So few steps never give a suggestion.", "Take 100, or 200 to 500 for the best one.";
        NothingLeft = 208 [2], "`--skip-begin` and `--skip-end` leave fewer than 2 points of the curve.", "Leave out fewer, or take more steps.";
        GlobalBatchSize = 209 [2], "`--global-batch-size` is not a number of whole batches, or contradicts `--accumulate`.", "Take a multiple of `--batch-size`, and only one of the two.";
        BatchLargerThanData = 210 [2], "A batch, or all that are accumulated for one step, has more samples than the data.", "Take a smaller one, or more data.";
        Nesterov = 211 [2], "Nesterov needs momentum, and no dampening.", "Set a momentum such as 0.9, or leave `--nesterov` out.";
        NotAGroup = 212 [2], "A text of `--groups` is no group.", "Write it as `head.*:lr=10,weight_decay=0`.";
        Augmentation = 213 [2], "A variation of `--augment` is written wrongly, is named twice or does not fit the data, which have no images or small ones.", "Write `crop=4` or `flip`, and give inputs of shape (samples, channels, height, width).";
        UnseekableData = 214 [2], "The sweep is to be cut into segments, and the worker cannot start its data in the middle.", "Use `--split none` or `--split replicas`, or let the worker seek.";
        TooMuchWork = 215 [2], "The replicas make more tasks or steps than a sweep may have.", "Take fewer replicas or fewer steps.";
    }
    Model, "Model and loss" {
        NotTorchScript = 301 [2], "The model's file is not TorchScript.", "Save it with `torch.jit.script(model).save(path)` or `torch.jit.trace`.";
        NothingToTrain = 302 [2], "No parameter is trained: the model has none that require a gradient, all are frozen, or the loss depends on none.", "Leave parameters to train, and let the output be computed from them, without `torch.no_grad` or `detach`.";
        ForwardArguments = 303 [2], "The model's `forward` takes another number of arguments than there are inputs.", "Name one input array for each argument, in their order.";
        ForwardFails = 304 [2], "The model cannot process a batch of the data.", "Give data of the shape and type that `forward` expects.";
        BuiltinModel = 305 [2], "A built-in model does not fit the data.", "Give what the message names (images, tokens, one input, class indices from 0), or a TorchScript model.";
        ModelSizes = 306 [2], "The sizes of a built-in model contradict each other.", "Let `--width` be a multiple of `--heads`.";
        ParameterWithGaps = 307 [2], "A parameter is a part of a larger tensor, its memory has gaps.", "Make it with `torch.nn.Parameter(tensor.contiguous())`, or freeze it.";
        LossAndModel = 308 [2], "The loss does not fit the model.", "Use the loss that the message names.";
        LossAndTargets = 309 [2], "The loss needs other targets: class indices or numbers.", "Save the targets so, or use a loss for those that there are.";
        LossShapes = 310 [2], "The model's output and the targets do not fit into one loss.", "Save targets that fit the output and the loss.";
        LossNotFinite = 311 [2], "The loss at the initial weights is NaN or infinite.", "Look for NaN, infinities or very large numbers in the data, and scale the inputs.";
        PatternFitsNothing = 312 [2], "A pattern of `--groups` or `--freeze` fits no parameter.", "Take a name that is suggested; `*` stands for any text.";
        PatternTaken = 313 [2], "A pattern of `--groups` fits only parameters that patterns before it take.", "Give the narrower pattern first, and all settings of a pattern in one group.";
        CheckpointKind = 314 [2], "A checkpoint is not what its option reads.", "Save `model.state_dict()` or `optimizer.state_dict()` alone, with `torch.save` or as `.safetensors`.";
        CheckpointMismatch = 315 [2], "A checkpoint does not fit the model or the optimizer.", "Save it from this very model and optimizer.";
    }
    Data, "Data" {
        DataFormat = 401 [2], "The name of a file of data does not tell its format.", "Give files of one known format; `numpy.savez(path, inputs=x, targets=y)` writes an `.npz`, `tokens.astype(numpy.uint16).tofile(path)` a `.bin` for `gpt`.";
        NotThatFormat = 402 [2], "A file of data is not of the format that its name says.", "Save it again, as the message shows.";
        ElementType = 403 [2], "An array has a type that cannot be trained on.", "Convert it: float32 for inputs, int64 for classes.";
        ArrayShape = 404 [2], "An array is empty, has no dimension of samples, or has too many.", "Save an array whose first dimension counts the samples.";
        NoSuchArray = 405 [2], "A file has no array or column of that name, or one name stands for two things.", "Take the name that is suggested.";
        SampleCounts = 406 [2], "Inputs and targets differ in their number of samples.", "Save arrays that belong together.";
        FilesDiffer = 407 [2], "The files of one set, or those of training and evaluation, differ in format, type, shape or columns.", "Save all of them alike.";
        FilePattern = 408 [2], "A pattern of files is written wrongly, fits no file or too many, or fits names that are not UTF-8.", "Write it as a shell takes it, such as `train-*.npz` or `train-{000..003}.npz`.";
        LabelOutOfRange = 409 [2], "A class or a token is out of range.", "Number them from 0 without gaps, and give the model as many outputs.";
        TableRow = 410 [2], "A row of a `.csv` file has a cell that is empty or no number, or too many or too few cells.", "Correct the row that is named, or remove the column.";
        TableHeader = 411 [2], "A `.csv` file has no rows, no column of inputs, or a header that is not clear.", "Name each column once in the first line.";
        Tokens = 412 [2], "A file of tokens is too short, or is not of whole tokens.", "Set `--context` or `--token-dtype` to what the file holds.";
        DataMemory = 413 [2], "The data need more memory than there is, or claim far more than their file holds.", "Save them so that they need not be read into memory: `.npy` in C order, `.safetensors` or uncompressed.";
    }
    Workers, "Devices, and starting workers" {
        NoGpu = 501 [2], "A GPU is asked for and none is visible.", "Check the driver with `nvidia-smi` and `CUDA_VISIBLE_DEVICES`, or use `--device cpu`.";
        NoSuchGpu = 502 [2], "The index of the GPU is none of the visible ones.", "Take one of those in the message; the index counts the visible GPUs only.";
        TooManyWorkers = 503 [2], "More workers are asked for than the GPUs hold.", "Take fewer `--workers`, or more `--workers-per-gpu`.";
        CudaLibrary = 504 [2], "libtorch's CUDA half cannot be loaded.", "Install a libtorch with CUDA and put its `lib` folder into `LD_LIBRARY_PATH`, or use `--device cpu`.";
        NoWorkerProgram = 505 [1], "The worker program is not where it should be.", "Install it beside the coordinator (`make install`), or name it with `RANGEFINDER_WORKER`.";
        BadWorkerProgram = 506 [1], "The worker program that was named cannot be run.", "Give the path of the worker's executable file.";
        WorkerStart = 507 [1], "The operating system does not start the worker program.", "Do what its reason says: check the program of `--worker-command`, its rights, the limits of processes.";
        System = 508 [1], "The operating system refuses something that the programs cannot do without: a port of the loopback interface, a thread, a signal, random bytes.", "Raise the limit that its reason names.";
        Defect = 509 [1], "A part of the programs has ended that should not: a defect of ours, not your mistake.", "Run it again with `RANGEFINDER_LOG=error` and report what it says.";
    }
    Session, "A worker and its coordinator" {
        VariableMissing = 601 [2], "A variable of the worker's environment is not set.", "Set it; `worker --help` lists all.";
        VariableInvalid = 602 [2], "A variable of the worker's environment has a value that means nothing.", "Set it to what the message expects.";
        CredentialMalformed = 603 [2], "The credential is empty or not visible ASCII, or two are given.", "Give the coordinator's token once, as it wrote it.";
        TokenFile = 604 [2], "The file of the credential cannot be read.", "Give the path of a file that the worker's user may read.";
        CredentialRejected = 605 [1], "The coordinator does not accept the worker's credential.", "Give the worker the token of this coordinator.";
        Refused = 606 [1], "The coordinator refuses the worker, most often for the version of its protocol.", "Run coordinator and workers of the same release.";
        Replaced = 607 [1], "Another process has joined under the worker's name.", "Give each worker a `RANGEFINDER_WORKER_ID` of its own.";
        Unreachable = 608 [1], "No coordinator answers.", "Check that it runs, and that `RANGEFINDER_COORDINATOR` is its address.";
        Stuck = 609 [1], "The trainer does not come back from a step that it was told to stop.", "Start the worker again; the coordinator does so by itself.";
        Download = 610 [1], "A worker cannot download an artifact from its coordinator.", "Do what its reason says: check the network between the two; what has arrived is kept for the next try.";
        WorkerCache = 611 [1], "A worker's cache of artifacts does not do: there is no place for it, no right to write there, or too little room.", "Set `RANGEFINDER_CACHE_DIR` to a folder that the worker may write, and `RANGEFINDER_CACHE_BYTES` to what its sweeps need together.";
    }
    Files, "Files, and curves from elsewhere" {
        NoSuchFile = 701 [2], "There is no file of that name.", "Check the path; it is relative to the current folder.";
        NotAFile = 702 [2], "The path is a folder, or not a regular file.", "Give the path of the file itself.";
        Unreadable = 703 [2], "A file cannot be read, or is not text in UTF-8 where text is expected.", "Do what its reason says: check the path, the rights, the disk.";
        Damaged = 704 [2], "A file is damaged or incomplete.", "Write or copy it again.";
        Unwritable = 705 [1, 2], "A file or folder cannot be written. Found before the sweep (2) or after it (1).", "Give yourself the right to write there, make room, or choose another folder with `--out`.";
        Stdout = 706 [1], "The result cannot be written to standard output.", "Make room where it goes.";
        NotASweep = 707 [2], "A file is not a `sweep.json`.", "Give one that a sweep has written; `analyze` reads CSV files and JSON lines too.";
        NewerSweep = 708 [2], "A `sweep.json` is of a newer format than this release reads.", "Use the release that wrote it, or a newer one.";
        HparamsField = 711 [2], "The file of hyperparameters has no such field, or one that is no number.", "Name one with `--auto-lr-find FIELD`; candidates are in the message.";
        HparamsShared = 712 [2], "The field cannot be written without changing others, as where an anchor of YAML shares it.", "Write it as a number of its own.";
        HparamsReplace = 713 [1, 2], "The file of hyperparameters cannot be replaced. Found before the sweep (2), or after it (1), where it may have changed meanwhile.", "Make the file and its folder writable, or name a copy; after the sweep, write the learning rate by hand.";
        HparamsUnwritten = 714 [1, 3, 130], "There is no usable learning rate to write, and the file is as it was.", "Do what the verdict on the curve advises.";
        CurveColumns = 721 [2], "A curve has no column of learning rates or losses.", "Name the columns `lr` (or `learning_rate`) and `loss` in the first line, or the fields in JSON lines.";
        CurveRow = 722 [2], "A row of a curve cannot be read.", "Correct the line that is named.";
        CurveRates = 723 [2], "The learning rates of a curve are not finite, positive and increasing, or differ between replicas.", "Give the rows in the order of their steps, one a step.";
        CurveEmpty = 724 [2], "A curve holds no losses.", "Give one of at least 8 steps.";
        CurveSteps = 725 [2], "The curve has more steps than `--num-training`.", "Give the number of planned steps.";
        CurveSmoothed = 726 [2], "Smoothed losses cannot be read so: `auto` and replicas need raw ones.", "Name a method such as `--method steepest`, and give one replica.";
    }
    Sweep, "Failed sweeps" {
        BatchMemory = 801 [1], "A step does not fit into memory.", "Take a smaller `--batch-size` with `--accumulate`, a smaller model, or a device with more memory.";
        WeightsMemory = 802 [1], "The weights alone do not fit into memory.", "Take a smaller model, or a device with more memory.";
        EvaluationMemory = 803 [1], "The batches of the evaluation do not fit into memory.", "Take fewer `--eval-batches`, or a smaller `--batch-size`.";
        FieldRefused = 804 [2], "The worker refuses an option, and gives no code of its own.", "Do what its message says.";
        WorkerFailed = 805 [1], "The worker failed at something that is not known to be a mistake of yours; it was tried again within limits.", "Do what its message says; run it with `RANGEFINDER_LOG=debug` for the worker's own words.";
        WorkLost = 806 [1], "A task was lost several times in a row: its worker died, hung or handed it back.", "Look at the worker's last words; for slow steps raise `--stall-seconds`.";
        NoWorkers = 807 [1], "No worker is left, or none has joined.", "Look at the worker's last words in the message.";
        Protocol = 808 [1], "Coordinator and worker do not understand each other.", "Run both of the same release; hold your own worker to `rangefinder-conformance`.";
    }
    Service, "The service: its store, access to it, artifacts, clients" {
        StoreInUse = 901 [2], "Another coordinator works on the folder of the store.", "Stop that one, or give this one a folder of its own with `--data-dir`.";
        StoreNewer = 902 [2], "The store was written by a newer release.", "Use that release, or a newer one.";
        StoreForeign = 903 [2], "The folder's `store.db` is no store of Rangefinder, or its first bytes are damaged.", "Give the folder of a store; what is left of a damaged one is written out by `coordinator store export`.";
        StoreMissing = 904 [2], "There is no store in the folder.", "Give the folder that was the coordinator's `--data-dir`.";
        StoreDamaged = 905 [1], "Something in the store is not what was written there.", "List what with `coordinator store check`, save all that can be read with `coordinator store export`, and check the disk.";
        StoreFull = 906 [1], "The disk of the store is full, or a quota or limit of file sizes is reached.", "Make room: what is not yet written is kept and written as soon as there is.";
        StoreFailing = 907 [1], "The folder of the store cannot be read or written.", "Do what its reason says: check the rights of the folder and the disk.";
        DataDirTaken = 908 [2], "The folder of `--data-dir` holds a sweep already.", "Go on with it by `coordinator resume FOLDER`, or take another folder.";
        NothingToResume = 909 [2], "The folder holds no sweep that a command on one machine has begun.", "Give the folder of `--data-dir`; a service's sweeps go on by `coordinator serve`.";
        Listen = 911 [2], "The service cannot listen on its address.", "Take another port with `--listen`, or stop what listens there.";
        NoTokens = 912 [2], "The service has no tokens, so that nobody could call it.", "Make some with `coordinator token create`, for clients and for workers.";
        TokensFile = 921 [2], "The file of tokens is damaged, or of a newer release.", "Restore it from a backup, or move it away and create tokens anew.";
        TokenName = 922 [2], "The name of a token cannot be one, belongs to another role, or the token could never be used.", "Take the letters, digits and marks that the message lists, and a name for one role only.";
        NoSuchToken = 923 [2], "There is no token of that id or name.", "List the tokens, and give an id or a name of the list.";
        NotPrivate = 924 [2], "A file of secrets may be read by everyone, or changed by others than its owner.", "`chmod 600` it; then make new secrets, for these may have been read.";
        TokenRefused = 925 [1], "A call has no token, or one that is unknown, has expired or was revoked.", "Give a token that the operator made for you, or ask for a new one.";
        Forbidden = 926 [1], "The role of a token does not permit the call.", "Use a token of the role that the message names.";
        CertificateFile = 927 [1, 2], "A file of certificates or of a private key holds none that can be used.", "Give files in PEM: certificates with the server's or client's own first, and a key without a passphrase.";
        KeyMismatch = 928 [1, 2], "A private key does not belong to its certificate.", "Give certificate and key that were made together.";
        CertificateDates = 929 [1, 2], "A certificate has expired, is not valid yet, or soon expires (a warning).", "Renew it and replace the files; running programs read them again. Check the clocks.";
        UntrustedPeer = 930 [1], "A certificate is not signed by an authority that the side which checks it trusts.", "Give the certificate of the authority that signed it, or have it signed by the right one.";
        ServerName = 931 [1, 2], "The server's certificate is not for the name by which the server was called.", "Call it by a name of its certificate, give that name as the server's name, or renew the certificate with the name in it.";
        ClientCertificate = 932 [1], "The server demands a certificate of the client, and has got none.", "Give a certificate and key signed by the authority that the server names as its clients'.";
        NotTls = 933 [1], "One side speaks TLS and the other does not.", "Write `https://` where the server has TLS, and `http://` where it has none.";
        ListenInsecure = 934 [2], "The service would listen off loopback without TLS, where anyone on the way could read the tokens.", "Give a certificate and its key, or listen on 127.0.0.1; `--insecure` is for networks that are safe by other means.";
        RootFolder = 935 [2], "A folder of models or data cannot be offered: it is none, its name is taken or cannot be one.", "Give an existing folder as `NAME=PATH`, each name once.";
        PathConfined = 936 [2], "A path does not lie within the folders that the operator named.", "Give a path below one of these folders, without `..`, and without links that lead out of it.";
        FileTooLarge = 937 [2], "A file is larger than the limit for its kind.", "Give a smaller file, or have the operator raise the limit.";
        TlsHandshake = 938 [1], "The two sides cannot agree on a TLS connection, or take too long.", "Do what its reason says; check that both are of this release or speak TLS 1.2 or newer.";
        NoSystemRoots = 939 [2], "No authority is named, and the system trusts none.", "Name the file of the authority that signed the server's certificate.";
        ArtifactReference = 941 [2], "A digest, or a reference to an artifact, is written wrongly.", "Write `artifact:sha256-HEX/NAME.EXT`, with the 64 lower-case hexadecimal digits of the content's SHA-256.";
        NoSuchArtifact = 942 [2], "There is no such artifact, not all of it, or none of yours.", "Upload it first.";
        ArtifactTooLarge = 943 [2], "An artifact is larger than the limit.", "Give a smaller file, or have the operator raise the limit.";
        ArtifactRoom = 944 [1], "There is no room for an artifact beside those that are in use.", "Wait until sweeps have ended, or have the operator raise the limit of all together.";
        ArtifactContent = 945 [1], "The content that has arrived is not the artifact that was named.", "Upload it again from its start; the file must not change meanwhile.";
        ArtifactOffset = 946 [1], "An upload does not go on where the one before it ended, or has not the size that it said.", "Ask how much is there and go on from there, or start at 0.";
        ArtifactBusy = 947 [1], "The same artifact is being uploaded by another call, or too many are under way.", "Wait until those have ended.";
        ArtifactFolder = 948 [1], "The folder of artifacts cannot be read or written.", "Do what its reason says: check the room on its disk, the rights, and that its file system has locks.";
        ArtifactStalled = 949 [1], "A transfer of an artifact brought nothing for long, or its messages make no sense.", "Check the network, and go on from where it ended.";
        ServerUnnamed = 951 [2], "A command needs a service, and none is named.", "Give its address with `--server`, or set `RANGEFINDER_SERVER`.";
        ServerAddress = 952 [2], "The address of the service is none.", "Write `http://HOST:PORT`, or `https://HOST:PORT` for a service with TLS.";
        ClientToken = 953 [2], "No token is given, or what is given cannot be one.", "Name a file that holds the token alone with `--token-file`, or put the token into `RANGEFINDER_TOKEN`.";
        ServiceUnreachable = 954 [1], "The service cannot be reached, or the connection to it breaks again and again.", "Check that it runs, its address, and what is between; what was submitted goes on without you.";
        ServiceTimeout = 955 [1], "The service is there and does not answer in time.", "Ask its operator, or wait longer with `--timeout`.";
        NotThere = 956 [2], "The service knows no sweep or worker of that name, or may not tell you of it.", "Take one of `coordinator list` or `coordinator workers`.";
        NotInThatState = 957 [2], "What was asked does not go with the state of the sweep or worker.", "Do what its message says; `coordinator show` tells the state.";
        ServiceRelease = 958 [1], "The service is of another release, or no service of Rangefinder.", "Install the same release of both, and check the address.";
        ServiceLimit = 959 [1], "A limit of the service is reached.", "Try it later, ask for less, or have the operator raise the limit.";
        ServiceFailed = 960 [1], "The service failed at something that is no mistake of yours.", "Try it again; its log says more.";
        UploadPattern = 961 [2], "A pattern names several files, and only single files can be uploaded.", "Put the data into one file, or put the files where the service reads them and add `--on-server`.";
        ServiceRefused = 962 [2], "The service refuses a request without saying which field is wrong.", "Do what its message says.";
        OtlpEndpoint = 971 [2], "The service cannot send traces to the address that is named.", "Write `http://HOST:4317` or `https://HOST:4317`, or leave `--otlp-endpoint` out.";
    }
}
