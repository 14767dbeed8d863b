"""Calls a gateway by clients that were made for other APIs, and prints what each of them raises, as JSON.

Called with the gateway's base URL and a JSON object of keys, by client: [unknown, good].
"""

import json
import sys

import anthropic
import boto3
import openai
import stripe
from botocore.config import Config

BASE, KEYS = sys.argv[1], json.loads(sys.argv[2])
MESSAGES = [{"role": "user", "content": "Hello"}]


def raised(call):
    try:
        answer = call()
    except Exception as error:  # whatever a client raises
        return {
            "type": type(error).__name__,
            "message": str(error),
            "response": getattr(error, "response", None) if isinstance(getattr(error, "response", None), dict) else None,
        }
    return {"success": repr(answer)}


def by_stripe(key):
    client = stripe.StripeClient(key, base_addresses={"api": BASE}, max_network_retries=0)
    return lambda: client.v1.charges.create({"amount": 100, "currency": "eur", "source": "tok_visa"})


def by_openai(key):
    client = openai.OpenAI(api_key=key, base_url=f"{BASE}/v1", max_retries=0)
    return lambda: client.chat.completions.create(model="m", messages=MESSAGES)


def by_anthropic(key):
    client = anthropic.Anthropic(auth_token=key, api_key=None, base_url=BASE, max_retries=0)
    return lambda: client.messages.create(model="m", max_tokens=1, messages=MESSAGES)


def by_aws(service, path, call):
    def of(key):
        client = boto3.client(
            service,
            endpoint_url=f"{BASE}{path}",
            region_name="eu-central-1",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="example",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        # Signatures are the backend's: the gateway's own key is sent in their place.
        client.meta.events.register(
            "before-send.*", lambda request, **_: request.headers.__setitem__("Authorization", f"Bearer {key}")
        )
        return lambda: call(client)

    return of


CLIENTS = {
    "stripe": by_stripe,
    "openai": by_openai,
    "anthropic": by_anthropic,
    "s3": by_aws("s3", "/s3", lambda client: client.get_object(Bucket="b", Key="k")),
    "dynamodb": by_aws("dynamodb", "/aws/x", lambda client: client.list_tables()),
}

told = {}
for name, client in CLIENTS.items():
    unknown, good = KEYS[name]
    call = client(good)
    told[name] = [raised(client(unknown)), raised(call), raised(call)]
print(json.dumps(told))
