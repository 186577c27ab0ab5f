#!/bin/sh
# Copyright 2026 The vsock-proxy authors.
# SPDX-License-Identifier: Apache-2.0
#
# service-manager.sh UNITS PROGRAM TARGET: in namespaces of its own, becomes a systemd that knows the units in directory
# UNITS and no others, sees directory PROGRAM as /opt/vsock-proxy, and starts TARGET. Nothing outside is changed.
set -eu
units=$1
program=$2
target=$3
mount --make-rprivate /
mount -t proc proc /proc
# Copied to a place that stays visible: the mounts on /run and /opt may hide the originals.
mkdir -p /mnt
mount -t tmpfs tmpfs /mnt
mkdir /mnt/units /mnt/program /mnt/etc /mnt/etc/upper /mnt/etc/work
cp -r "$units/." /mnt/units
cp -r "$program/." /mnt/program
if [ -c /dev/fuse ]; then
    # Accessible to all users, as udev would make it, which containers lack.
    cp -a /dev/fuse /mnt/fuse
    chmod 0666 /mnt/fuse
    mount --bind /mnt/fuse /dev/fuse
fi
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
cp -r /mnt/units/. /run/systemd/system
mount -t tmpfs tmpfs /opt
mkdir /opt/vsock-proxy
mount --bind /mnt/program /opt/vsock-proxy
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc/upper,workdir=/mnt/etc/work overlay /etc
systemd-sysusers /run/systemd/system/vsock-proxy.sysusers
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# Tells systemd that it is in a container, so that it does not configure the machine.
export container=namespace
export SYSTEMD_UNIT_PATH=/run/systemd/system
exec /lib/systemd/systemd --system --unit="$target" --log-target=console --show-status=no
