#!/bin/sh
# The health check of the container: succeeds if the server answers as a Parley server does.
#
# With a token in PARLEY_TOKEN, the server must accept it. Without one, its refusal (exit code 4) is an answer too.
set -- --host localhost --timeout 5s
[ -f certs/ca.pem ] && set -- "$@" --ca certs/ca.pem
parley ping "$@" >/dev/null
code=$?
[ "$code" -eq 0 ] || { [ "$code" -eq 4 ] && [ -z "$PARLEY_TOKEN" ]; }
