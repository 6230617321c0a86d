#!/usr/bin/env bash
# A real S3 server on 127.0.0.1, for tests, demo and benchmarks: a Ceph of one node with its object gateway.
#
#   tools/s3-server.sh DIR PORT [memstore|bluestore]
#
# Takes PORT (S3) and PORT+1 (Ceph's monitor). Prints one line when it answers, then runs until its standard input ends or
# a signal comes, so that it never outlives whoever started it. memstore keeps objects in memory, bluestore in DIR.
# Needs Debian's radosgw, ceph-mon, ceph-osd, ceph-common and curl; no service of the system, no root.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,8p' "$0" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
port=$2
store=${3:-memstore}
mkdir -p "$dir"/{mon,osd,rgw,run,log}

daemons=()
stop() {
  trap - EXIT INT TERM HUP
  [ ${#daemons[@]} -eq 0 ] || kill -KILL "${daemons[@]}" 2> /dev/null || true
  wait 2> /dev/null || true
}
trap stop EXIT
trap 'exit 143' INT TERM HUP

fail() {
  echo "s3-server: $1; see $dir/log" >&2
  exit 1
}

# Each waits for a condition, at most half a minute.
until_true() {
  local what=$1
  shift
  for _ in $(seq 300); do
    if "$@" > /dev/null 2>&1; then return; fi
    sleep 0.1
  done
  fail "$what"
}

# cephx stays on: without it the gateway hangs at its start.
export CEPH_CONF=$dir/ceph.conf
cat > "$CEPH_CONF" << CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = v2:127.0.0.1:$((port + 1))
keyring = $dir/keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.02
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
log file = $dir/log/\$name.log
run dir = $dir/run
admin socket = $dir/run/\$name.\$pid.asok

[mon]
mon data = $dir/mon
mon cluster log file = $dir/log/cluster.log

[osd]
keyring = $dir/osd/keyring
osd data = $dir/osd
osd objectstore = $store
memstore device bytes = 8589934592
bluestore block size = 21474836480
osd memory target = 1073741824

[client.admin]
# Else each answer waits 40 ms for the ACK of its head.
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw data = $dir/rgw
CONF

# Monitor.
fsid=$(sed -n 's/^fsid = //p' "$CEPH_CONF")
{
  ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$((port + 1))]" "$dir/monmap"
  ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
} > "$dir/log/make.log" 2>&1 || fail "the monitor could not be made"
ceph-mon -f -i a < /dev/null > "$dir/log/mon.out" 2>&1 &
daemons+=($!)

# Where the objects are.
osd_uuid=$(cat /proc/sys/kernel/random/uuid)
{
  timeout 30 ceph osd new "$osd_uuid"
  timeout 20 ceph auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' mgr 'allow profile osd' -o "$dir/osd/keyring"
  ceph-osd --mkfs -i 0 --osd-uuid "$osd_uuid"
  timeout 20 ceph osd crush add osd.0 1.0 root=default host=localhost
} < /dev/null >> "$dir/log/make.log" 2>&1 || fail "the store could not be made"
ceph-osd -f -i 0 < /dev/null > "$dir/log/osd.out" 2>&1 &
daemons+=($!)
osd_is_up() { timeout 10 ceph osd stat | grep -q '1 up'; }
until_true "the store did not come up" osd_is_up

# The user of the tests, and a second storage class.
admin() { timeout 60 radosgw-admin "$@" < /dev/null 2>> "$dir/log/make.log"; }
admin user create --uid=spillway --display-name=spillway --access-key=spillwaytest --secret-key=spillwaysecret > /dev/null \
  || fail "the user could not be made"
for set in zonegroup zone; do
  admin "$set" get "--rgw-$set=default" > "$dir/$set.json"
  admin "$set" set "--rgw-$set=default" --infile "$dir/$set.json" > /dev/null
done
admin zonegroup placement add --rgw-zonegroup default --placement-id default-placement --storage-class STANDARD_IA > /dev/null
admin zone placement add --rgw-zone default --placement-id default-placement --storage-class STANDARD_IA \
  --data-pool default.rgw.ia.data > /dev/null

# The gateway.
radosgw -f -n client.admin < /dev/null > "$dir/log/rgw.out" 2>&1 &
daemons+=($!)
until_true "no answer on port $port" curl -s -o "$dir/run/answer" "http://127.0.0.1:$port/"
kill -0 "${daemons[@]}" 2> /dev/null || fail "a daemon ended"
echo "S3 at http://127.0.0.1:$port, access key spillwaytest, secret key spillwaysecret"

# In the background, so that a signal is acted on at once; bash takes a background job's input away unless it is named.
cat <&0 > /dev/null &
wait $! || true
