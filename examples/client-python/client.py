"""Asks a service of Rangefinder for a learning rate: creates a sweep, watches it, prints what it suggests.

The service is named by RANGEFINDER_SERVER, such as 127.0.0.1:4750, and the token by RANGEFINDER_TOKEN_FILE; with TLS
RANGEFINDER_CA_FILE names the certificate of its authority. The modules of the API come from `python3 generate.py`.

usage: python3 client.py [KEY=VALUE ...]     fields of the specification, such as model=mlp num_training=200
"""
import json
import os
import random
import sys
import time
import uuid
from pathlib import Path

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status

sys.path.insert(0, str(Path(__file__).resolve().parent / "build"))
try:
    from rangefinder.v1 import sweep_pb2, sweep_service_pb2 as v1, sweep_service_pb2_grpc
except ModuleNotFoundError:
    sys.exit("client: run `python3 generate.py` first")

TIMEOUT = 30  # Seconds that a call may take.
PATIENCE = 120  # Seconds for which the service may be away.


class Token(grpc.AuthMetadataPlugin):
    """Read anew for each call, so that it can be replaced in its file."""

    def __init__(self, path):
        self.path = path

    def __call__(self, context, callback):
        try:
            token = Path(self.path).read_text().strip()
            callback((("authorization", f"Bearer {token}"),), None)
        except OSError as error:
            callback((), error)


class Service:
    """The calls of SweepService; each is safe to repeat, and is repeated while the service is away."""

    def __init__(self, server, token_file, ca_file=None):
        options = [("grpc.max_receive_message_length", -1)]  # A document may have many megabytes.
        token = grpc.metadata_call_credentials(Token(token_file))
        if ca_file:
            tls = grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
            credentials = grpc.composite_channel_credentials(tls, token)
            self.channel = grpc.secure_channel(server, credentials, options)
            self.token = None
        else:  # gRPC for Python sends no call credentials without TLS, but metadata.
            self.channel = grpc.insecure_channel(server, options)
            self.token = token_file
        self.stub = sweep_service_pb2_grpc.SweepServiceStub(self.channel)

    def metadata(self):
        return [("authorization", f"Bearer {Path(self.token).read_text().strip()}")] if self.token else []

    def call(self, name, request):
        deadline = time.monotonic() + PATIENCE
        for attempt in range(1_000_000):
            try:
                return getattr(self.stub, name)(request, metadata=self.metadata(), timeout=TIMEOUT)
            except grpc.RpcError as error:
                self.pause(error, attempt, deadline)

    @staticmethod
    def pause(error, attempt, deadline):
        """Waits before another attempt, longer each time; raises the error where there shall be none."""
        away = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        if error.code() not in away or time.monotonic() > deadline:
            raise error
        time.sleep(min(5, 0.1 * 2 ** min(attempt, 10)) * random.uniform(0.5, 1))

    def create(self, spec, request_id=None, **more):
        """Starts a sweep, once, whatever the network does: the id is drawn before the first attempt."""
        spec = json_format.ParseDict(spec, sweep_pb2.SweepSpec())
        request = v1.CreateSweepRequest(spec=spec, request_id=request_id or str(uuid.uuid4()), **more)
        return self.call("CreateSweep", request).sweep

    def get(self, sweep_id):
        return self.call("GetSweep", v1.GetSweepRequest(sweep_id=sweep_id)).sweep

    def document(self, sweep_id):
        """All that is known of a sweep that has ended, as sweep.json; None before."""
        answer = self.call("GetSweep", v1.GetSweepRequest(sweep_id=sweep_id, with_document=True))
        return json.loads(answer.document) if answer.document else None

    def list(self, page_size=100, **filters):
        """All sweeps that may be seen, newest first."""
        request = v1.ListSweepsRequest(page_size=page_size, **filters)
        while True:
            page = self.call("ListSweeps", request)
            yield from page.sweeps
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, sweep_id, from_number=1):
        """The events of a sweep, each once, until it has ended. A stream that is cut off is gone on with."""
        number, attempt, deadline = from_number, 0, time.monotonic() + PATIENCE
        while True:
            request = v1.WatchSweepRequest(sweep_id=sweep_id, from_number=number)
            try:
                for answer in self.stub.WatchSweep(request, metadata=self.metadata()):
                    number, attempt, deadline = answer.event.number + 1, 0, time.monotonic() + PATIENCE
                    yield answer.event
                    if answer.event.type == "ended":
                        return
                if self.get(sweep_id).last_event_number < number:
                    return  # All of an ended sweep had been seen before.
            except grpc.RpcError as error:
                self.pause(error, attempt, deadline)
                attempt += 1

    def cancel(self, sweep_id):
        return self.call("CancelSweep", v1.CancelSweepRequest(sweep_id=sweep_id)).sweep

    def delete(self, sweep_id):
        self.call("DeleteSweep", v1.DeleteSweepRequest(sweep_id=sweep_id))

    def suggest(self, sweep_id, **reading):
        request = v1.SuggestRequest(sweep_id=sweep_id, reading=v1.Reading(**reading))
        return self.call("Suggest", request).answer


def mistakes(error):
    """What a refusal says of each field, as (field, code of docs/errors.md, description)."""
    status = rpc_status.from_call(error)
    found = []
    for detail in status.details if status else []:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            found += [(one.field, getattr(one, "reason", ""), one.description) for one in bad.field_violations]
    return found


def reason(error):
    """The name of a refusal for programs, such as UNKNOWN_SWEEP; empty for one that no service has sent."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else []:
        if detail.Unpack(info):
            return info.reason
    return ""


def value(text):
    """A value as in JSON, or else a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments):
    spec = {"model": "mlp", "data": "digits", "optimizer": "adam"}
    spec |= {key: value(text) for key, _, text in (argument.partition("=") for argument in arguments)}
    service = Service(os.environ["RANGEFINDER_SERVER"], os.environ["RANGEFINDER_TOKEN_FILE"],
                      os.environ.get("RANGEFINDER_CA_FILE"))
    try:
        sweep = service.create(spec, name="client.py")
        print(f"sweep {sweep.id}", file=sys.stderr)
        for event in service.watch(sweep.id):
            if event.type != "observed":
                print(f"{event.number:4} {event.type}", file=sys.stderr)
        sweep = service.get(sweep.id)
    except grpc.RpcError as error:
        lines = [f"{field}: {description} [{code}]" for field, code, description in mistakes(error)]
        sys.exit("\n".join(lines) or f"{error.code().name}: {error.details()}")
    if sweep.state != v1.SWEEP_STATE_COMPLETED:
        sys.exit(f"{v1.SweepState.Name(sweep.state)}: {sweep.failure.message}")
    if not sweep.HasField("suggestion"):
        sys.exit(f"no usable learning rate: {sweep.verdict.message}")
    print(sweep.suggestion.lr)


if __name__ == "__main__":
    main(sys.argv[1:])
