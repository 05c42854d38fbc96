"""``passport serve``: the service, and in development what to try with it."""

from collections.abc import Callable

import click

from svc_passport.bootstrap import MEMORY
from svc_passport.config import Config
from svc_passport.serve.sockets import Addresses, CannotListen
from svc_passport.serve.supervisor import WorkerFailed, serve

_TRY = """
  Try, in another terminal:

    # a token for alice, to be used at svc-a
    curl -s {url}/v1/passport/issue -H 'content-type: application/json' \\
         -d '{{"sub":"alice","aud":"svc-a"}}' > alice.json

    # it verifies: true
    curl -s '{url}/v1/passport/verify?aud=svc-a' -H 'content-type: application/json' -d @alice.json

    # svc-b refuses it, and says why: {{"ok":false,"reason":"bad_aud"}}
    curl -s '{url}/v1/passport/verify?aud=svc-b&detail=1' -H 'content-type: application/json' -d @alice.json

    # the keys that anybody may verify with
    curl -s {url}/v1/keys

    # a new key signs from now on; alice's token still verifies
    curl -s -X POST {url}/admin/rotate

  Ctrl-C ends it. {kept} For a closed service that keeps its keys: passport init, then passport serve.
"""


_TAKEN = (
    "another program, or another passport, may have that address;"
    " PASSPORT_SERVER__BIND and PASSPORT_SERVER__ADMIN_BIND choose others"
)


def serve_and_tell(config: Config, fail: Callable[[int, str, str | None], int]) -> int:
    """Serve until told to end; the first line on stdout says where."""

    def announce(addresses: Addresses) -> None:
        url = f"http://{addresses.public}"
        click.echo(f"svc-passport: listening on {url}")
        if config.development:
            kept = "Nothing is kept." if config.keys.store == MEMORY else "The keys are kept."
            click.echo(_TRY.format(url=url, kept=kept), err=True)

    try:
        serve(config, announce)
    except CannotListen as error:
        return fail(1, str(error), _TAKEN)
    except WorkerFailed as error:
        return fail(1, str(error), "the log above says why")
    return 0
