#!/usr/bin/env bash
# Smoke test of svc-passport over HTTP: one line a check, `ok …`, `FAIL …` or `skip …`; exit 1 if one failed.
#
#   scripts/smoke_passport.sh
#       Starts `passport serve --dev` on free ports, checks everything, ends it and looks how it drains.
#
#   PASSPORT_URL=http://host:5307 [PASSPORT_ADMIN_URL=http://host:5308] [PASSPORT_CAPABILITY_FILE=operator.cap] \
#       scripts/smoke_passport.sh
#       The same against a service that runs. Without PASSPORT_ADMIN_URL the admin plane is looked for on
#       PASSPORT_URL. A closed profile needs a capability for everything (the operator's).
#
# A service that runs is somebody's: it is read, and issues a few tokens of a minute, no more. What changes its
# keys is skipped unless it is asked for:
#   SMOKE_ROTATE=1      rotate once, if the next key has been published for long enough (else check the refusal)
#   SMOKE_ROTATE=force  rotate even so: verifiers that have just cached the key set miss the new key for a while
# Keys of a running service are never revoked. PASSPORT_MAX_BATCH says how large its batches may be (512).
#
# Needs bash, curl and python3. Capabilities and tokens reach curl in files, never as arguments.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
passport=.venv/bin/passport
python=.venv/bin/python3
[[ -x $python ]] || python=python3

url=${PASSPORT_URL:-}
admin=${PASSPORT_ADMIN_URL:-$url}
capability_file=${PASSPORT_CAPABILITY_FILE:-}
rotate=${SMOKE_ROTATE:-}
max_batch=${PASSPORT_MAX_BATCH:-512}
authorization=()
own=
failed=0

work=$(mktemp -d "${TMPDIR:-/tmp}/smoke-passport.XXXXXX")
cleanup() {
    if [[ -n $own ]] && kill -0 "$own" 2> /dev/null; then
        kill -KILL "$own"
        wait "$own" 2> /dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

main() {
    local plane
    if [[ -z $url ]]; then
        start_our_own
    elif [[ -n $capability_file ]]; then
        (umask 077 && printf 'authorization: Bearer %s\n' "$(< "$capability_file")" > "$work/capability")
        authorization=(--header "@$work/capability")
    fi
    for plane in "$url" "$admin"; do
        ask GET "$plane/healthz"
        [[ $status != 000 ]] || { echo "FAIL $plane answers"; exit 1; }
    done
    check_health
    check_planes
    check_doors
    check_issue
    check_verify
    check_batches
    check_keys
    check_problems
    check_rotation
    check_revocation
    check_metrics
    check_openapi
    if [[ -n $own ]]; then
        check_secrets
        check_drain
    else
        skip 'drain: the service is not ours to end'
    fi
    exit "$failed"
}

start_our_own() {
    local name line=
    for name in $(compgen -e PASSPORT_); do
        unset "$name"
    done
    max_batch=512 rotate=1
    : > "$work/stdout"
    PASSPORT_SERVER__BIND=127.0.0.1:0 PASSPORT_SERVER__ADMIN_BIND=127.0.0.1:0 PASSPORT_SERVER__DRAIN_DELAY_S=2 \
        "$passport" serve --dev > "$work/stdout" 2> "$work/stderr" &
    own=$!
    for _ in {1..300}; do
        line=$(< "$work/stdout")
        [[ -n $line ]] || { kill -0 "$own" 2> /dev/null && sleep 0.1 && continue; }
        break
    done
    if [[ ! $line =~ ^svc-passport:\ listening\ on\ (http://127\.0\.0\.1:[1-9][0-9]*)$ ]]; then
        echo "FAIL the first line says where it listens: found ${line@Q}"
        cat "$work/stderr" >&2
        exit 1
    fi
    url=${BASH_REMATCH[1]}
    admin=http://$(sed -nE 's/.*"admin_bind":"([^"]+)".*/\1/p' "$work/stderr" | head -n 1)
    echo 'ok the first line says where it listens'
}

check_health() {
    local plane path
    for plane in "$url" "$admin"; do
        ask GET "$plane/healthz"
        check "$(name_of "$plane"): /healthz" '200 {"ok":true} application/json' "$status $body $(header content-type)"
        ask GET "$plane/readyz"
        check "$(name_of "$plane"): /readyz" '200 {"ready":true}' "$status $body"
        ask GET "$plane/version"
        check "$(name_of "$plane"): /version" '200 svc-passport True' \
            "$status $(json 'd["service"] + " " + str(all(d[n] for n in ("version", "engine", "python")))' <<< "$body")"
        for path in healthz readyz version; do
            ask HEAD "$plane/$path"
            check "$(name_of "$plane"): HEAD /$path" 200 "$status"
        done
        [[ $url != "$admin" ]] || break
    done
}

check_planes() {
    local path missing=0
    [[ $url != "$admin" ]] || { skip 'planes: both are at one address'; return; }
    for path in v1/passport/issue v1/passport/verify v1/passport/verify_batch v1/keys; do
        post "$admin/$path" '{}'
        problem "admin: /$path is not here" 404 NotFound not_found
    done
    for path in admin/attest admin/rotate admin/revoke metrics openapi.json; do
        ask HEAD "$url/$path"
        [[ $status != 404 ]] || missing=$((missing + 1))
    done
    # server.admin_public, which the development profile sets, brings them all here.
    [[ -z $own && $missing == 5 ]] || check 'public: all the admin routes are here' 0 "$missing"
    [[ $missing != 5 ]] || check 'public: none of the admin routes is here' 5 "$missing"
}

check_doors() {
    local verb
    allowed ask GET "$admin/admin/attest"
    check 'attest' '200 True' "$status $(json '{"build", "issuer", "current_kid", "next_kid", "previous_kids", "versions"} <= set(d)' <<< "$body")"
    profile=$(json 'd["build"]["profile"]' <<< "$body")
    issuer=$(json 'd["issuer"]' <<< "$body")
    current=$(json 'd["current_kid"]' <<< "$body")
    next=$(json 'd["next_kid"]' <<< "$body")
    check 'attest: one version signs, one is next' '1 1' \
        "$(json '"%d %d" % tuple([v["state"] for v in d["versions"]].count(s) for s in ("active", "next"))' <<< "$body")"
    allowed ask HEAD "$admin/admin/attest"
    check 'HEAD attest' 200 "$status"
    if [[ $profile == development ]]; then
        ask GET "$url/healthz" --header 'origin: http://example.com'
        problem 'a web page is sent away' 403 Forbidden forbidden
        ask GET "$url/healthz" --header 'host: example.com'
        problem 'a foreign host is sent away' 403 Forbidden forbidden
        return
    fi
    post "$url/v1/passport/issue" '{}'
    problem 'issue without a capability' 401 Unauthorized unauthorized
    check 'a refused caller is told how' Bearer "$(header www-authenticate)"
    for verb in rotate revoke; do
        ask POST "$admin/admin/$verb"
        problem "$verb without a capability" 401 Unauthorized unauthorized
    done
    ask GET "$admin/admin/attest"
    problem 'attest without a capability' 401 Unauthorized unauthorized
}

check_issue() {
    allowed post "$url/v1/passport/issue" '{"sub":"smoke","aud":["svc-a","svc-b"],"scopes":["read"],"ttl_s":60}'
    envelope=$body
    check 'issue an envelope' "200 alg,aud,kid,msg_b64,sig_b64 Ed25519 svc-a $current" \
        "$status $(json '",".join(d) + " %(alg)s %(aud)s %(kid)s" % d' <<< "$body")"
    allowed post "$url/v1/passport/issue?format=compact" '{"sub":"smoke","aud":"svc-a","ttl_s":60}'
    compact=$body
    check 'issue a compact token' '200 token 3' "$status $(json '"%s %d" % (",".join(d), len(d["token"].split(".")))' <<< "$body")"
    forged=$(json 'json.dumps({**d, "sig_b64": ("B" if d["sig_b64"][0] == "A" else "A") + d["sig_b64"][1:]})' <<< "$envelope")
    forged_compact=$(json 'json.dumps({"token": d["token"][:-9] + ("B" if d["token"][-9] == "A" else "A") + d["token"][-8:]})' <<< "$compact")
    allowed post "$url/v1/passport/issue" '{"iss":"me"}'
    problem 'issue: a reserved claim' 400 Malformed reserved_claim
    allowed post "$url/v1/passport/issue" '{"ttl_s":999999999}'
    problem 'issue: a lifetime too long' 400 Malformed ttl_too_long
    allowed post "$url/v1/passport/issue" '{"scopes":["passport:admin"]}'
    problem 'issue: a reserved scope' 403 ScopeDenied scope_denied
    allowed post "$url/v1/passport/issue" '{"sub":"a","sub":"b"}'
    problem 'issue: a claim said twice' 400 Malformed malformed
}

check_verify() {
    local verify=$url/v1/passport/verify
    post "$verify" "$envelope"
    check 'verify an envelope' '200 true' "$status $body"
    post "$verify" "$compact"
    check 'verify a compact token' '200 true' "$status $body"
    post "$verify" "$forged"
    check 'a tampered envelope' '200 false' "$status $body"
    post "$verify" "$forged_compact"
    check 'a tampered compact token' '200 false' "$status $body"
    post "$verify?detail=1" "$envelope"
    check 'verify with detail: the claims' "200 True smoke ['svc-a', 'svc-b'] $issuer" \
        "$status $(json '"{} {} {} {}".format(d["ok"], *(d["claims"][n] for n in ("sub", "aud", "iss")))' <<< "$body")"
    post "$verify?detail=1" "$forged"
    check 'verify with detail: the reason' '200 {"ok":false,"reason":"verify_failed"}' "$status $body"
    post "$verify?aud=svc-b" "$envelope"
    check 'verify for an audience that it has' '200 true' "$status $body"
    post "$verify?aud=svc-c" "$envelope"
    check 'verify for an audience that it has not' '200 false' "$status $body"
    post "$verify?aud=svc-c&detail=1" "$envelope"
    check 'and why' '200 {"ok":false,"reason":"bad_aud"}' "$status $body"
    post "$verify?scope=read" "$envelope"
    check 'verify with a scope that it has' '200 true' "$status $body"
    post "$verify?scope=read&scope=write&detail=1" "$envelope"
    check 'verify with a scope that it has not' '200 {"ok":false,"reason":"scope_denied"}' "$status $body"
    post "$verify" "$(json 'json.dumps({**d, "alg": "none"})' <<< "$envelope")"
    problem 'verify: another algorithm' 400 BadAlg bad_alg
    post "$verify" "$(json 'json.dumps({**d, "kid": "../etc/passwd"})' <<< "$envelope")"
    problem 'verify: no kid' 400 BadKid bad_kid
    post "$verify" "$(json 'json.dumps({**d, "kid": "ed25519/default/v999999999"})' <<< "$envelope")"
    problem 'verify: a kid that nobody knows' 400 Malformed unknown_kid
}

check_batches() {
    local batch=$url/v1/passport/verify_batch
    post "$batch" "[$forged,$envelope,$compact,$forged_compact,{},$envelope]"
    check 'a batch: verdicts in order' '200 [false,true,true,false,false,true]' "$status $body"
    post "$batch" "{\"items\":[$envelope,$forged]}"
    check 'a batch as an object' '200 [true,false]' "$status $body"
    post "$batch" '[]'
    check 'an empty batch' '200 []' "$status $body"
    post "$batch?detail=1&aud=svc-b" "[$compact,$envelope,$forged]"
    check 'a batch with detail' '200 bad_aud,smoke,verify_failed' \
        "$status $(json '",".join(i.get("reason") or i["claims"]["sub"] for i in d)' <<< "$body")"
    post "$batch" "$(json "'[' + ','.join(['{}'] * ($max_batch + 1)) + ']'" <<< '{}')"
    problem 'a batch over the limit' 413 BatchTooLarge batch_too_large
    post "$batch" "$(json "'[' + ','.join([json.dumps(d)] * $max_batch) + ']'" <<< "$compact")"
    check 'a batch at the limit' "200 $max_batch" "$status $(json 'd.count(True)' <<< "$body")"
}

check_keys() {
    local tags
    ask GET "$url/v1/keys"
    key_set=$body etag=$(header etag)
    check 'the key set' '200 application/jwk-set+json OKP Ed25519 EdDSA sig' \
        "$status $(header content-type) $(json '" ".join(d["keys"][0][n] for n in ("kty", "crv", "alg", "use"))' <<< "$body")"
    check 'the key set lists what signs, and what is next' 'True True' \
        "$(json "' '.join(str(k in [key['kid'] for key in d['keys']]) for k in ('$current', '$next'))" <<< "$body")"
    check 'the key set may be cached' yes "$([[ $(header cache-control) =~ ^public,\ max-age=[0-9]+$ ]] && echo yes)"
    check 'the key set has a strong ETag' yes "$([[ $etag =~ ^\"[0-9a-f]{64}\"$ ]] && echo yes)"
    ask HEAD "$url/v1/keys"
    check 'HEAD /v1/keys' "200 $etag ${#key_set}" "$status $(header etag) $(header content-length)"
    for tags in "$etag" "W/$etag" "\"x\", $etag" '*'; do
        ask GET "$url/v1/keys" --header "if-none-match: $tags"
        check "If-None-Match: ${tags//$etag/<its ETag>}" "304 $etag " "$status $(header etag) $body"
    done
    ask GET "$url/v1/keys" --header 'if-none-match: "x"'
    check 'If-None-Match: another' "200 $etag" "$status $(header etag)"
}

check_problems() {
    ask GET "$url/nothing/here"
    problem 'no such path' 404 NotFound not_found
    ask GET "$url/v1/passport/verify"
    problem 'GET where POST is meant' 405 MethodNotAllowed method_not_allowed
    check 'what is allowed there' POST "$(header allow)"
    ask DELETE "$url/v1/keys"
    problem 'DELETE the keys' 405 MethodNotAllowed method_not_allowed
    check 'what is allowed on keys' 'GET, HEAD' "$(header allow)"
    post "$url/v1/passport/verify" "$envelope" --header 'content-type: text/plain'
    problem 'a body that is not JSON by its type' 415 UnsupportedMediaType unsupported_media_type
    post "$url/v1/passport/verify" '{"token":'
    problem 'a body that is not JSON' 400 Malformed malformed
    post "$url/v1/passport/verify" ''
    problem 'no body' 400 Malformed malformed
    post "$url/v1/passport/verify?audience=svc-c" "$envelope"
    problem 'a misspelt restriction' 400 Malformed malformed
    post "$url/v1/passport/verify?aud=" "$envelope"
    problem 'an empty restriction' 400 Malformed malformed
    allowed ask POST "$admin/admin/rotate?force=0"
    problem 'rotate: a misspelt query' 400 Malformed malformed
    allowed ask POST "$admin/admin/rotate" --header 'idempotency-key: two words'
    problem 'rotate: no idempotency key' 400 Malformed malformed
    allowed post "$admin/admin/revoke" '{"kid":"v1"}'
    problem 'revoke: no kid' 400 BadKid bad_kid
}

check_rotation() {
    [[ -n $rotate ]] || { skip 'rotation: SMOKE_ROTATE=1 asks for it'; return; }
    local force='' key="smoke-$$-$RANDOM$RANDOM" answer old_etag=$etag
    [[ $rotate != force ]] || force='?force=1'
    allowed ask POST "$admin/admin/rotate$force" --header "idempotency-key: $key"
    if [[ $status == 409 ]]; then
        problem 'rotate: the next key is too new' 409 TooSoon too_soon
        check 'and when it is not' 'True True' "$(json "' '.join((str(d['retryable']), str(d['retry_after_ms'] <= 1000 * int('$(header retry-after)'))))" <<< "$body")"
        skip 'rotation: SMOKE_ROTATE=force asks for it now'
        return
    fi
    answer=$body
    check 'rotate: what was next and listed signs' "200 $next $current" "$status $(json '"%(current_kid)s %(previous_kid)s" % d' <<< "$body")"
    previous=$current current=$next next=$(json 'd["next_kid"]' <<< "$body")
    check 'rotate: attests itself' "$current" "$(json 'd["attest"]["current_kid"]' <<< "$body")"
    allowed ask POST "$admin/admin/rotate$force" --header "idempotency-key: $key"
    check 'rotate: the same idempotency key gets the same answer' "$answer" "$body"
    ask GET "$url/v1/keys" --header "if-none-match: $old_etag"
    check 'the key set has changed' 200 "$status"
    check 'the key set lists the old, the new and the next key' 'True True True' \
        "$(json "' '.join(str(k in [key['kid'] for key in d['keys']]) for k in ('$previous', '$current', '$next'))" <<< "$body")"
    post "$url/v1/passport/verify_batch" "[$envelope,$compact,$forged]"
    check 'old tokens still verify' '200 [true,true,false]' "$status $body"
    allowed post "$url/v1/passport/issue" '{"sub":"smoke","ttl_s":60}'
    check 'new tokens are signed by the new key' "200 $current" "$status $(json 'd["kid"]' <<< "$body")"
    post "$url/v1/passport/verify" "$body"
    check 'and verify' '200 true' "$status $body"
}

check_revocation() {
    [[ -n $own ]] || { skip 'revocation: never on a service that is not ours'; return; }
    post "$admin/admin/revoke" "{\"kid\":\"$previous\"}"
    check 'revoke: the old key' "200 $current" "$status $(json 'd["current_kid"]' <<< "$body")"
    post "$url/v1/passport/verify?detail=1" "$envelope"
    check 'its tokens fail' '200 {"ok":false,"reason":"revoked"}' "$status $body"
    ask GET "$url/v1/keys"
    check 'it is not in the key set' False "$(json "'$previous' in [key['kid'] for key in d['keys']]" <<< "$body")"
}

check_metrics() {
    ask GET "$admin/metrics"
    check 'metrics' '200 text/plain; version=0.0.4' "$status $(header content-type | cut -d';' -f 1,2)"
    local op
    for op in issue verify verify_batch keys; do
        check "metrics: $op was counted" yes "$(counted passport_ops_total "op=\"$op\"" 'result="ok"')"
        check "metrics: $op was timed" yes "$(counted passport_op_latency_seconds_count "op=\"$op\"")"
    done
    check 'metrics: not modified' yes "$(counted passport_ops_total 'op="keys"' 'result="not_modified"')"
    check 'metrics: refusals by reason' yes "$(counted passport_failures_total 'reason="verify"')"
    check 'metrics: requests by route and code' yes "$(counted passport_requests_total 'route="/v1/passport/verify_batch"' 'code="413"')"
    check 'metrics: batches' yes "$(counted passport_batch_len_count)"
    check 'metrics: signatures' yes "$(counted kms_ops_total 'op="verify"')"
    check 'metrics: keys' yes "$(counted passport_active_keys)"
    check 'metrics: ready' yes "$(counted passport_ready)"
    [[ -z $own ]] || check 'metrics: rotations' yes "$(counted passport_rotations_total)"
    check 'metrics: every series names the service' '' "$(grep -v -e '^#' -e 'service="svc-passport"' "$work/body" | head -n 1)"
    ask HEAD "$admin/metrics"
    check 'HEAD /metrics' 200 "$status"
}

check_openapi() {
    ask GET "$admin/openapi.json"
    check 'openapi.json' '200 application/json 3.1 ' "$status $(header content-type) $(json 'd["openapi"][:3] + " " + ",".join(
        {"/v1/passport/issue", "/v1/passport/verify", "/v1/passport/verify_batch", "/v1/keys", "/healthz", "/readyz",
         "/version", "/admin/rotate", "/admin/revoke", "/admin/attest", "/metrics", "/openapi.json"} ^ set(d["paths"]))' <<< "$body")"
    ask HEAD "$admin/openapi.json"
    check 'HEAD /openapi.json' 200 "$status"
}

check_secrets() {
    local signature
    signature=$(json 'd["sig_b64"]' <<< "$envelope")
    check 'no token is in the log' 0 "$(grep -cF -e "$signature" -e "${compact:10:40}" "$work/stderr" || true)"
}

check_drain() {
    local code=0 told=
    kill -TERM "$own"
    for _ in {1..40}; do
        ask GET "$url/readyz"
        [[ $status == 200 ]] || break
        sleep 0.02
    done
    told="$status $body"
    check 'drain: not ready first' '503 {"ready":false,"missing":["draining"]}' "$told"
    check 'drain: and when to ask again' 1 "$(header retry-after)"
    post "$url/v1/passport/verify" "$envelope"
    check 'drain: still answering' 200 "$status"
    wait "$own" || code=$?
    own=
    check 'drain: exit code' 0 "$code"
    check 'drain: one line on stdout' 1 "$(wc -l < "$work/stdout")"
    ask GET "$url/healthz"
    check 'drain: nobody listens any more' 000 "$status"
}

# check NAME EXPECTED FOUND
check() {
    if [[ $3 == "$2" ]]; then
        echo "ok $1"
    else
        echo "FAIL $1: expected ${2@Q}, found ${3@Q}"
        failed=1
    fi
}

skip() {
    echo "skip $1"
}

name_of() {
    [[ $1 == "$url" ]] && echo public || echo admin
}

# ask METHOD URL [curl's arguments]: sets $status and $body, and keeps the head for `header`.
ask() {
    local method=$1 where=$2 how
    shift 2
    how=(-X "$method")
    [[ $method != HEAD ]] || how=(--head)
    : > "$work/head"
    : > "$work/body"
    status=$(curl --silent --noproxy '*' --max-time 30 --output "$work/body" --dump-header "$work/head" \
        --write-out '%{http_code}' "${how[@]}" "$@" "$where") || true
    body=$(< "$work/body")
}

# post URL BODY [curl's arguments]
post() {
    local where=$1 media=(--header 'content-type: application/json')
    printf '%s' "$2" > "$work/sent"
    shift 2
    [[ "$*" != *content-type:* ]] || media=()
    ask POST "$where" "${media[@]}" --data-binary "@$work/sent" "$@"
}

# allowed ask|post …: the same, with the capability.
allowed() {
    "$@" "${authorization[@]}"
}

# header NAME: of the last answer.
header() {
    sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r' | tail -n 1
}

# json EXPRESSION: of `d`, the JSON on stdin.
json() {
    "$python" -IS -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1" 2> /dev/null ||
        echo 'not the JSON that was expected'
}

# problem NAME STATUS CODE REASON: the last answer is that problem.
problem() {
    check "$1" "$2 application/json code,message,retryable,reason $3 $4" "$status $(header content-type) $(
        json '",".join(list(d)[:4]) + " %(code)s %(reason)s" % d' <<< "$body"
    )"
}

# counted SERIES [LABEL…]: whether the last answer's sum over these is above zero.
counted() {
    local name=$1 lines label
    lines=$(grep -E "^$name[{ ]" "$work/body" || true)
    shift
    for label in "$@"; do
        lines=$(grep -F "$label" <<< "$lines" || true)
    done
    awk '{ sum += $NF } END { print(sum > 0 ? "yes" : "no") }' <<< "$lines"
}

main
