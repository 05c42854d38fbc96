"""A replay guard that several verifiers share, in a Redis of the caller's.

Three keys under one hash tag, so that a cluster keeps them together:

    ron-auth:{<name>}:nonces   sorted set   instance ‖ nonce ‖ origin → exp
    ron-auth:{<name>}:origins  hash         origin → how many of these are its
    ron-auth:{<name>}:memory   hash         run_id of the server, how many nonces are held,
                                            began_s and forgotten_s as in ``MemoryGuard``

One script looks and inserts, so two verifiers cannot both admit. A Redis that was restarted, emptied or
replaced by its replica may have lost nonces: its run id is another, or it holds another number than was
written down, and the memory begins anew. A Redis that evicts keys would forget, and is refused.

Needs ``ron-auth[redis]``. Each admission is one round trip and blocks; give the client a timeout.
"""

from typing import final

import redis

from ron_auth.envelope import Envelope
from ron_auth.errors import Forgotten, GuardDown, GuardFull, Replayed
from ron_auth.replay import CAPACITY, FORGOTTEN_AT_ONCE, limits

_ADMITTED, _REPLAYED, _FORGOTTEN, _FULL, _EVICTS = range(5)

_ADMIT = """
local nonces, origins, memory = KEYS[1], KEYS[2], KEYS[3]
local name, origin, exp, iat_less_skew = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local now, due_before = ARGV[5], ARGV[6]
local at_once, capacity, per_origin = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])

local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.call('HMGET', memory, 'run_id', 'held', 'began_s', 'forgotten_s')
local began, forgotten = known[3], known[4]
local held = redis.call('ZCARD', nonces)
if known[1] ~= run_id or tonumber(known[2]) ~= held then
  local info = redis.call('INFO', 'memory')
  local bounded = string.match(info, 'maxmemory:(%d+)') ~= '0'
  if bounded and string.match(info, 'maxmemory_policy:(%a+)') ~= 'noeviction' then return 4 end
  began = now
  redis.call('HSET', memory, 'run_id', run_id, 'held', held, 'began_s', began)
  if held == 0 then redis.call('DEL', origins) end
end

local due = redis.call('ZRANGEBYSCORE', nonces, '-inf', '(' .. due_before, 'WITHSCORES', 'LIMIT', 0, at_once)
for i = 1, #due, 2 do
  -- What frees memory comes first: a Redis without any refuses a first write that takes some.
  redis.call('ZREM', nonces, due[i])
  local whose = string.sub(due[i], 33)
  if redis.call('HINCRBY', origins, whose, -1) <= 0 then redis.call('HDEL', origins, whose) end
  held = held - 1
  forgotten = due[i + 1]
end
if #due > 0 then redis.call('HSET', memory, 'held', held, 'forgotten_s', forgotten) end

if redis.call('ZSCORE', nonces, name) then return 1 end
if iat_less_skew <= tonumber(began) then return 2 end
if forgotten and tonumber(exp) <= tonumber(forgotten) then return 2 end
if held >= capacity then return 3 end
if tonumber(redis.call('HGET', origins, origin) or 0) >= per_origin then return 3 end
redis.call('ZADD', nonces, exp, name)
redis.call('HINCRBY', origins, origin, 1)
redis.call('HSET', memory, 'held', held + 1)
return 0
"""

_EXACT = 2**53
"""Redis and Lua count in doubles, which hold no larger integer exactly. It is the year 285,428,681."""


@final
class RedisGuard:
    """A ``ReplayGuard`` for all verifiers that share a Redis and a name.

    Args:
        client: the caller's, with a timeout and without retries: one that repeats a call whose answer was
            lost is told ``Replayed``. Redis 6.2 or later, or Valkey.
        name: tells apart guards in one Redis.
        capacity: nonces remembered at most.
        per_origin: nonces of one origin service at most; a tenth of ``capacity`` when None.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        name: str = "default",
        capacity: int = CAPACITY,
        per_origin: int | None = None,
    ) -> None:
        if not isinstance(client, redis.Redis | redis.RedisCluster):
            raise TypeError("client is a redis.Redis or redis.RedisCluster, not an asynchronous one")
        if not name or "{" in name or "}" in name:
            raise ValueError("a guard's name is not empty and has no braces")
        self._keys = [f"ron-auth:{{{name}}}:{key}" for key in ("nonces", "origins", "memory")]
        self._limits = limits(capacity, per_origin)
        self._script = client.register_script(_ADMIT)

    def admit(self, env: Envelope, now_s: int, max_clock_skew_s: int) -> None:
        """See ``ReplayGuard.admit``."""
        origin = env.origin_svc.encode()
        name = env.origin_instance.bytes + env.nonce + origin
        iat_less_skew_s, exp_s = (
            max(-_EXACT, min(moment, _EXACT)) for moment in (env.iat - max_clock_skew_s, env.exp)
        )
        try:
            answer = self._script(
                keys=self._keys,
                args=[
                    name,
                    origin,
                    exp_s,
                    iat_less_skew_s,
                    now_s,
                    now_s - max_clock_skew_s,
                    FORGOTTEN_AT_ONCE,
                    *self._limits,
                ],
            )
        except redis.OutOfMemoryError as error:
            raise GuardFull from error
        except (redis.RedisError, OSError) as error:
            raise GuardDown from error
        if answer == _EVICTS:
            down = GuardDown()
            down.add_note("this Redis has a memory limit and evicts keys: set maxmemory-policy noeviction")
            raise down
        if answer != _ADMITTED:
            raise {_REPLAYED: Replayed, _FORGOTTEN: Forgotten, _FULL: GuardFull}[answer]
