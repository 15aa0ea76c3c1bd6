#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# Process 1 of the virtual machine that scripts/vm boots: file systems, a network namespace called
# "remote" behind a veth pair, then the test in /test. Everything goes to the serial console; the line
# "VM-RESULT: ..." there is the verdict.

/bin/busybox mkdir -p /proc /sys /dev /run /tmp /var/lib /root
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1

# Ends the machine with its verdict; the empty line keeps it apart from kernel messages.
finish() {
	printf '\nVM-RESULT: %s\n' "$*"
	sync
	poweroff -f
}

mount -t cgroup2 cgroup2 /sys/fs/cgroup || finish "fail: no cgroup v2"
mount -t bpf bpf /sys/fs/bpf || finish "fail: no bpffs"
mount -t tracefs tracefs /sys/kernel/tracing || finish "fail: no tracefs"
[ -s /sys/kernel/btf/vmlinux ] || finish "fail: no BTF at /sys/kernel/btf/vmlinux"

for module in $(cat /lib/modules/order); do
	insmod "/lib/modules/$module" || finish "fail: insmod $module"
done

# The remote side: REMOTE_PID is a process inside its network namespace, /test/remote runs there.
unshare -n sleep 100000 &
export REMOTE_PID=$!
printf '#!/bin/sh\nexec nsenter -t %s -n "$@"\n' "$REMOTE_PID" >/bin/remote
chmod +x /bin/remote
until [ "$(readlink "/proc/$REMOTE_PID/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do
	usleep 10000
done
# No duplicate address detection: a host's address works as soon as it is set.
sysctl -qw net.ipv6.conf.default.accept_dad=0
remote sysctl -qw net.ipv6.conf.default.accept_dad=0
# busybox cannot name the peer: the kernel calls it veth0.
ip link set lo up &&
	ip link add name host0 type veth &&
	ip link set veth0 netns "$REMOTE_PID" &&
	ip addr add 10.9.0.1/24 dev host0 &&
	ip -6 addr add fd09::1/64 dev host0 &&
	ip link set host0 up &&
	remote ip link set lo up &&
	remote ip addr add 10.9.0.2/24 dev veth0 &&
	remote ip -6 addr add fd09::2/64 dev veth0 &&
	remote ip link set veth0 up || finish "fail: no network"

echo "VM-READY: $(uname -r)"
/bin/sh "$(cat /test/main)"
status=$?
if dmesg | grep -qE 'WARNING:|BUG:|Oops|lockup|rcu.*(stall|self-detected)|general protection|suspicious RCU'; then
	dmesg | tail -n 60
	finish "fail: the kernel complained, see above"
fi
[ "$status" = 0 ] || finish "fail: $(cat /tmp/why 2>/dev/null || echo "exit $status of the test")"
finish "pass: $(cat /tmp/checks 2>/dev/null || echo 0) checks$(sed 's/^/, /' /tmp/notes 2>/dev/null)"
