#!/usr/bin/env bash
# image.sh DIR: fills DIR with what a virtual machine for tests is made of, all of it from Debian packages:
#
#   DIR/kernel  the kernel            DIR/root  the files of the machine, with the modules that belong to the kernel
#   DIR/qemu    an emulator, with the libraries it needs
#
# It needs neither root nor a place on the machine it runs on: apt works on lists of its own and downloads only, and the
# packages are unpacked, not installed. The archive is the one that the machine's own apt uses, or $VIRTNET_VM_ARCHIVE.
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd)
suite=trixie
keys=/usr/share/keyrings/debian-archive-keyring.gpg
work=$dir/work

root_packages='busybox-static dash kmod libc-bin util-linux procps iproute2 nftables dnsmasq-base iputils-ping tcpdump ethtool
	openvswitch-switch ovn-central ovn-host lldpad'
qemu_packages='qemu-system-x86 ipxe-qemu'
# Modules by folder or by name; what they need comes with them.
module_folders='net/8021q net/802 net/9p net/bridge net/core net/ipv4 net/ipv6 net/llc net/mpls net/netfilter net/nsh
	net/openvswitch net/packet net/psample net/sched net/unix net/vmw_vsock net/xfrm drivers/net/bonding drivers/net/ipvlan
	drivers/net/team drivers/net/ethernet/intel/igb drivers/net/ethernet/intel/igbvf drivers/iommu drivers/vfio drivers/vhost
	drivers/virtio'
module_names='dummy geneve ifb macsec macvlan macvtap nlmon sctp tap tun veth virtio_console virtio_net virtio_rng vrf vxlan
	crc32c_generic libcrc32c cryptomgr sha1_generic'

say() { printf 'vm image: %s\n' "$*" >&2; }

# ---- apt, with nothing of the machine's but the way to the archive
archive=${VIRTNET_VM_ARCHIVE:-$(apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
	awk '$1 == "Debian/Debian" { print $2; exit }')}
[ -n "$archive" ] || { say "apt knows no archive of Debian: name one in VIRTNET_VM_ARCHIVE"; exit 1; }
[ -e "$keys" ] || { say "no $keys: install debian-archive-keyring"; exit 1; }
mkdir -p "$work"/{lists/partial,cache}
: >"$work/status"
printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$archive" "$suite" "$keys" "$archive" "$suite-updates" >"$work/sources"
cat >"$work/apt.conf" <<-CONF
	Dir::Etc { SourceList "$work/sources"; SourceParts "/dev/null"; Preferences "/dev/null"; PreferencesParts "/dev/null"; };
	Dir::State "$work"; Dir::State::Lists "$work/lists"; Dir::State::status "$work/status";
	Dir::Cache "$work/cache"; Dir::Log "$work";
	APT::Architecture "amd64"; APT::Architectures { "amd64"; };
	APT::Install-Recommends "false"; APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Retries "3";
CONF
# The machine's own hooks must not run here; its proxies stay.
for hook in APT::Update::{Pre,Post}-Invoke APT::Update::Post-Invoke-Success DPkg::{Pre,Post}-Invoke DPkg::Pre-Install-Pkgs; do
	printf '#clear %s;\n' "$hook"
done >"$work/hooks.conf"
export APT_CONFIG=$work/apt.conf
apt() { local program=$1; shift; "$program" -c="$work/hooks.conf" "$@"; }

# unpack FOLDER PACKAGE...: the packages and what they depend on.
unpack() {
	local to=$1; shift
	say "packages for $to: $*"
	mkdir -p "$work/$to/partial"
	apt apt-get -qq -y -d -o Dir::Cache::Archives="$work/$to" install "$@" >/dev/null
	mkdir -p "$dir/$to"
	local package
	for package in "$work/$to"/*.deb; do
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$dir/$to" --keep-directory-symlink --no-same-owner
	done
	rm -rf "$dir/$to"/usr/share/{bash-completion,doc,icons,info,lintian,locale,man,zoneinfo} "$dir/$to"/usr/lib/python3* "$work/$to"
}

say "lists of $suite"
apt apt-get -qq update
for to in root qemu; do
	mkdir -p "$dir/$to"/usr/{bin,sbin,lib,lib64}
	for link in bin sbin lib lib64; do ln -s "usr/$link" "$dir/$to/$link"; done
done
# shellcheck disable=SC2086 # words
unpack qemu $qemu_packages
# shellcheck disable=SC2086
unpack root $root_packages
root=$dir/root
rm -rf "$root"/usr/share/{perl,perl5} "$root"/usr/lib/x86_64-linux-gnu/{perl,perl-base,gconv}

# ---- the kernel, and the modules that are wanted
kernel=$(apt apt-cache depends --important linux-image-amd64 | awk '/linux-image-[0-9]/ { print $2; exit }')
version=${kernel#linux-image-}
say "kernel $version"
(cd "$work" && apt apt-get -qq download "$kernel" && dpkg-deb -x "$kernel"_*.deb kernel)
cp "$work/kernel/boot/vmlinuz-$version" "$dir/kernel"
all=$work/kernel/usr/lib/modules/$version
ln -s usr/lib "$work/kernel/lib"
tool() { # a program of the machine that is being made, on this one
	"$root/lib64/ld-linux-x86-64.so.2" --argv0 "$1" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/kmod" "${@:2}"
}
tool depmod -b "$work/kernel" "$version"
to=$root/lib/modules/$version
mkdir -p "$to"
awk -v folders="$module_folders" -v names="$module_names" '
	BEGIN { n = split(folders, folder); split(names, list); for (i in list) { gsub("-", "_", list[i]); wanted[list[i]] = 1 } }
	{
		file = $1; sub(":$", "", file); needs[file] = $0
		name = file; sub(".*/", "", name); sub("\\.ko.*", "", name); gsub("-", "_", name)
		take[file] = name in wanted
		for (i = 1; i <= n; i++) if (index(file, "kernel/" folder[i] "/") == 1) take[file] = 1
	}
	END { for (file in take) if (take[file]) { gsub(":", "", needs[file]); gsub(" ", "\n", needs[file]); print needs[file] } }
' "$all/modules.dep" | sort -u >"$work/modules"
tar -c -C "$all" -T "$work/modules" | tar -x -C "$to"
find "$to" -name '*.xz' -exec xz -d {} + # the kernel of the machine takes its time
cp "$all"/modules.{order,builtin,builtin.modinfo} "$to"
tool depmod -b "$root" "$version"

# ---- the rest of the files that the packages make when they are installed
mkdir -p "$root"/{dev,etc/modprobe.d,proc,root,run,src,sys,tmp,var/lib/{misc,lldpad,openvswitch},var/log/openvswitch}
[ -e "$root/var/run" ] || ln -s ../run "$root/var/run"
ln -sf dash "$root/usr/bin/sh" # that of busybox runs its own ip and tc
for applet in $("$root/usr/bin/busybox" --list); do
	[ -e "$root/usr/bin/$applet" ] || [ -e "$root/usr/sbin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
# Links that would come by themselves, with the module.
printf 'options bonding max_bonds=0\noptions ifb numifbs=0\noptions dummy numdummies=0\n' >"$root/etc/modprobe.d/vmtest.conf"
rm -rf "$work"
say "done: $(du -sh "$root" | cut -f1) for the machine, $(du -sh "$dir/qemu" | cut -f1) for the emulator"
