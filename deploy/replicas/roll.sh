#!/bin/sh
# Replaces replicas by ones of the image that FINIAL_TAG names, or of changed options, one after the other, so that nobody
# notices: the next one goes when the balancer gives requests to all again. Ends with exit code 1 where one does not come back;
# the others serve on as they were. Called from the checkout; options go to Compose: sh deploy/replicas/roll.sh -p finial
#
# Variables: those of deploy/replicas/docker-compose.yml, and
#   COMPOSE         what runs Compose                                       docker compose
#   READY_WITHIN_S  how long a new replica may take until it gets requests  120
set -eu

export COMPOSE_FILE="${COMPOSE_FILE:-docker-compose.yml:deploy/replicas/docker-compose.yml}"
balancer="http://127.0.0.1:${FINIAL_OPERATORS_PORT:-8404}/ready"
ready_within_s=${READY_WITHIN_S:-120}

all_take_requests() { # all_take_requests SECONDS
    left=$1
    until curl -m 5 --noproxy '*' -fs -o /dev/null "$balancer"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 1
    done
}

all_take_requests 0 || {
    echo "Nothing was changed: not every replica takes requests ($balancer). Mend that first, or start them: docker compose up -d" >&2
    exit 1
}
for replica in replica-1 replica-2 replica-3; do
    ${COMPOSE:-docker compose} "$@" up -d --no-deps --no-build "$replica"
    sleep 3 # by then the balancer knows that the old one has gone, even if it went at once
    all_take_requests "$ready_within_s" || {
        echo "$replica takes no requests after $ready_within_s s; see its log: docker compose logs $replica. Those after it are as they were." >&2
        exit 1
    }
    echo "$replica takes requests"
done
