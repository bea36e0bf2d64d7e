"""Drives one unmodified signalrcore client by JSON lines: see ../client/driver.mjs.

python driver.py URL TRANSPORT PROTOCOL [skip-negotiation]
"""

import json
import logging
import sys
import threading
import uuid

from signalrcore.hub.handlers import StreamHandler
from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.messages.cancel_invocation_message import CancelInvocationMessage
from signalrcore.messages.completion_message import CompletionClientStreamMessage
from signalrcore.messages.invocation_message import InvocationClientStreamMessage
from signalrcore.messages.stream_invocation_message import StreamInvocationMessage
from signalrcore.messages.stream_item_message import StreamItemMessage
from signalrcore.types import HttpTransportType, HubProtocolEncoding

URL, TRANSPORT, PROTOCOL, *MORE = sys.argv[1:]
PATIENCE = 60

talking = threading.Lock()


def say(line):
    with talking:
        print(json.dumps(line), flush=True)


def answer(number, value=None):
    say({"id": number, "value": value})


def refuse(number, error):
    say({"id": number, "error": str(error)})


options = {"skip_negotiation": "skip-negotiation" in MORE}
if TRANSPORT != "auto":
    options["transport"] = HttpTransportType(TRANSPORT)
connection = (
    HubConnectionBuilder()
    .with_url(URL, options=options)
    .configure_logging(logging.CRITICAL)
    .with_hub_protocol(HubProtocolEncoding.binary if PROTOCOL == "messagepack" else HubProtocolEncoding.text)
    .build()
)

opened = threading.Event()
connection.on_open(opened.set)
connection.on_close(lambda: say({"event": "closed", "value": None}))
for event in ["welcome", "message", "presence", "typing", "gap", "told"]:
    connection.on(event, lambda values, event=event: say({"event": event, "value": values[0]}))
connection.on("note", lambda values: say({"event": "note", "value": values}))

# An error names its invocation, but the client reports it to one handler for all.
waiting = {}
streams = {}


def failed(message):
    number = waiting.pop(message.invocation_id, None)
    if number is not None:
        refuse(number, message.error)


connection.on_error(failed)


def start(number, order):
    connection.start()
    if opened.wait(PATIENCE):
        answer(number)
    else:
        refuse(number, "it does not connect")


def invoke(number, order):
    invocation = str(uuid.uuid4())
    waiting[invocation] = number

    def completed(message):
        answer(waiting.pop(invocation), message.result)

    connection.send(order["target"], order["arguments"], completed, invocation)


def send(number, order):
    # This client never calls without an id; its answer is ignored.
    connection.send(order["target"], order["arguments"])
    answer(number)


def stream(number, order):
    # Like the client's own method, but the handler is set before the answer can come.
    invocation = str(uuid.uuid4())
    waiting[invocation] = number
    streams[number] = invocation
    handler = StreamHandler(order["target"], invocation)
    handler.subscribe(
        {
            "next": lambda item: say({"event": "item", "value": {"stream": number, "item": item}}),
            "complete": lambda _: answer(waiting.pop(invocation)),
            "error": failed,
        }
    )
    connection.stream_handlers[invocation].append(handler)
    connection.transport.send(StreamInvocationMessage(invocation, order["target"], order["arguments"]))


def cancel(number, order):
    # The client has a class for this message, but no method that sends it.
    connection.transport.send(CancelInvocationMessage(streams[order["stream"]]))
    answer(number)


def upload(number, order):
    # The client's own Subject takes no arguments beside the stream; these are the messages that a Subject sends.
    stream_id = str(uuid.uuid4())
    transport = connection.transport
    transport.send(InvocationClientStreamMessage([stream_id], order["target"], order["arguments"]))
    for item in order["items"]:
        transport.send(StreamItemMessage(stream_id, item))
    transport.send(CompletionClientStreamMessage(stream_id))
    answer(number)


def stop(number, order):
    connection.stop()
    answer(number)


ACTIONS = {
    "start": start,
    "invoke": invoke,
    "send": send,
    "stream": stream,
    "cancel": cancel,
    "upload": upload,
    "stop": stop,
}
for line in sys.stdin:
    order = json.loads(line)
    try:
        ACTIONS[order["do"]](order["id"], order)
    except Exception as error:  # the test is told of any error
        refuse(order["id"], error)
