#!/bin/sh
# Do orders work? Asked again and again with nothing but dig and curl, until it is terminated: a second pair of eyes
# beside a drill, which shares no code with it.
#
# usage: API_KEY=... independent_check.sh DNS_HOST DNS_PORT NAME PORT ORDER_KEY AMOUNT
#
# Every 0.1 s or so a look begins, whether or not earlier ones have ended (a hung request must not stop the asking); more
# often, the processes started would take a core from the drill. It
# resolves NAME at that name server, past every cache, and POSTs an order that is stored already: harmless to repeat, and
# answered only by a database that takes writes. One line a look, as it ends: when it began and ended (ns since 1970, on
# the wall clock), the address, the HTTP status (000: no answer).
set -u
[ $# -eq 6 ] || { echo "usage: API_KEY=... $0 DNS_HOST DNS_PORT NAME PORT ORDER_KEY AMOUNT" >&2; exit 2; }
dns_host=$1 dns_port=$2 name=$3 port=$4 order="{\"key\": $5, \"amount\": $6, \"receipt\": false}"
newline='
'
trap 'wait; exit 0' TERM

look() {
    began=$(date +%s%N)
    answer=$(dig +short +tries=1 +time=1 "@$dns_host" -p "$dns_port" "$name" A 2>/dev/null)
    ip=${answer##*"$newline"}
    case $ip in *[!0-9.]*) ip= ;; esac # dig says on stdout, too, that nobody answered
    status=000
    if [ -n "$ip" ]; then
        status=$(curl --silent --noproxy '*' --max-time 1 --output /dev/null --write-out '%{http_code}' \
            --resolve "$name:$port:$ip" --header "x-api-key: ${API_KEY:-}" --header 'content-type: application/json' \
            --data "$order" "http://$name:$port/orders")
    fi
    echo "$began $(date +%s%N) ${ip:--} $status"
}

while :; do
    look &
    sleep 0.095
done
