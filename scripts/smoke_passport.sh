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
# A service that runs is somebody's: it is only read, and issues a few tokens of a minute. What changes its keys
# for good is skipped unless it is asked for:
#   SMOKE_ROTATE=1      rotate once, if the next key has been published for long enough (else the 409 is checked)
#   SMOKE_ROTATE=force  rotate even so: verifiers that have just cached the key set miss the new key for a while
# Keys of a running service are never revoked. PASSPORT_MAX_BATCH (512) says what its largest batch is.
#
# Needs bash, curl and python3. Capabilities reach curl in files, never as arguments.
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

# ask METHOD URL [curl's arguments]: sets $status and $body, and $work/head for `header`.
ask() {
    local method=$1 where=$2
    shift 2
    local how=(-X "$method")
    [[ $method == HEAD ]] && how=(--head)
    : > "$work/head"
    : > "$work/body"
    status=$(curl --silent --noproxy '*' --max-time 30 --output "$work/body" --dump-header "$work/head" \
        --write-out '%{http_code}' "${how[@]}" "$@" "$where") || true
    body=$(< "$work/body")
    [[ $method == HEAD ]] && body=
    return 0
}

# post URL BODY [curl's arguments]
post() {
    local where=$1
    printf '%s' "$2" > "$work/sent"
    shift 2
    ask POST "$where" --header 'content-type: application/json' --data-binary "@$work/sent" "$@"
}

# allowed post|ask …: the same, with the capability.
allowed() {
    "$@" "${authorization[@]}"
}

# header NAME: of the last answer.
header() {
    sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r' | tail -n 1
}

# json EXPRESSION: of `d`, the JSON on stdin.
json() {
    "$python" -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1" 2> /dev/null ||
        echo 'not the JSON that was expected'
}

# problem NAME STATUS CODE REASON: the last answer is that problem, and nothing else.
problem() {
    check "$1" "$2 $3 $4 application/json" \
        "$status $(json 'd["code"] + " " + d["reason"] if list(d)[:4] == ["code", "message", "retryable", "reason"] else d' \
            <<< "$body") $(header content-type)"
}

# wait_until_listening: the address of the service of our own, from its first line.
wait_until_listening() {
    local line=
    for _ in {1..300}; do
        line=$(head -n 1 "$work/stdout")
        [[ $line == *http* ]] && break
        kill -0 "$own" 2> /dev/null || break
        sleep 0.1
    done
    check 'the first line says where it listens' 'svc-passport: listening on http://127.0.0.1:' "${line%%[0-9]*}${line:$((${#line} > 0 ? 34 : 0)):0}$(
        sed -nE 's#^svc-passport: listening on http://(127\.0\.0\.1:)[0-9]+$#\1#p' <<< "$line" | sed 's/^//'
    )"
    url=${line##* on }
}
