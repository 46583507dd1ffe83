#!/bin/sh
# Make a root folder as a container's, from this machine's own programs, and run a script in it.
# image.sh FOLDER PYTHON_PREFIX CONTEXT SCRIPT: in a mount namespace of its own, which takes all mounts with it.
set -eu
root=$1 python=$2 context=$3 script=$4
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/.upper"
for path in /*; do
    name=${path#/}
    case $name in build | context | data | mnt | tmp | home | srv | media | boot | work) continue ;; esac
    if [ -L "$path" ]; then
        cp -P "$path" "$root/$name"
    elif [ -d "$path" ]; then
        mkdir "$root/$name"
        case $name in
        etc | opt)
            mkdir -p "$root/.upper/$name/upper" "$root/.upper/$name/work"
            mount -t overlay -o "lowerdir=$path,upperdir=$root/.upper/$name/upper,workdir=$root/.upper/$name/work" overlay "$root/$name"
            ;;
        *) mount --rbind "$path" "$root/$name" ;;
        esac
    fi
done
# an overlay shows nothing of what is mounted inside its lower folder, such as a container's resolv.conf
cut -d ' ' -f 2 /proc/self/mounts | grep -E '^/(etc|opt)/' | while read -r path; do mount --bind "$path" "$root$path"; done
mkdir "$root/context" "$root/tmp"
chmod 1777 "$root/tmp"
mount --bind -o ro "$context" "$root/context"
# the base image has its Python there
mkdir -p "$root/.upper/python/upper" "$root/.upper/python/work"
mount -t overlay -o "lowerdir=$python,upperdir=$root/.upper/python/upper,workdir=$root/.upper/python/work" overlay "$root/usr/local"
[ -e "$root/usr/local/bin/python" ] || ln -s python3 "$root/usr/local/bin/python"
cp "$script" "$root/steps.sh"
export PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
chroot "$root" ldconfig # as the base image has done, so that Python finds its own library
exec chroot "$root" /bin/sh -eu /steps.sh
