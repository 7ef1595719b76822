#!/bin/sh
# Makes a further site on this machine, which has daemon, handlers, sockets, secrets and data of its own (docs/operate.md,
# "Several sites"). As root: add-site.sh SITE PORT [GROUP]
# SITE: a name for it, such as shop. PORT: where its esn-fanout listens on 127.0.0.1, and nobody else does.
# GROUP: whose members may read its token for publishing, the group of its PHP (default: esn-publish, all that publish).
set -eu

fail() {
    echo "add-site.sh: $1" >&2
    exit 2
}

[ $# -eq 2 ] || [ $# -eq 3 ] || fail 'usage: add-site.sh SITE PORT [GROUP]'
site=$1 port=$2 group=${3:-esn-publish}
# What systemd escapes in the names of instances would not be the folder's name any more.
echo "$site" | grep -qxE '[a-z][a-z0-9_]{0,30}' || fail "not small letters, digits and _, the first of them a letter: $site"
case $site in
log | events | acks) fail "the first site has a folder or a socket of this name: $site" ;;
esac
echo "$port" | grep -qxE '[1-9][0-9]{0,4}' && [ "$port" -le 65535 ] || fail "not a port: $port"
getent group "$group" >/dev/null || fail "there is no group $group"
config=/etc/es-web-notify/$site
for folder in "$config" "/run/es-web-notify/$site" "/var/lib/es-web-notify/$site"; do
    [ ! -e "$folder" ] || fail "$folder is there already"
done

cat >"/etc/tmpfiles.d/es-web-notify-$site.conf" <<END
# As /run/es-web-notify and its like are, for the site $site.
d /etc/es-web-notify/$site 0755 root root -
d /run/es-web-notify/$site 2751 esn-fanout esn-bus -
d /var/lib/es-web-notify/$site 2771 esn-event esn-topics -
END
systemd-tmpfiles --create "es-web-notify-$site.conf"

umask 022
for unit in esn-fanout esn-event esn-subscribe esn-outbox; do
    mkdir -p "/etc/systemd/system/$unit.service.d"
    cat >"/etc/systemd/system/$unit.service.d/site-$site.conf" <<END
# The site $site is no matter of the first site's services.
[Service]
InaccessiblePaths=-/etc/es-web-notify/$site -/run/es-web-notify/$site -/var/lib/es-web-notify/$site
END
done
{
    cat <<END
# The site $site. esn-fanout@$site, esn-event@$site and esn-subscribe@$site read this.
[fanout]
listen = 127.0.0.1:$port

[bus]
events = ipc:///run/es-web-notify/$site/events
acks = ipc:///run/es-web-notify/$site/acks

[acl]
file = /var/lib/es-web-notify/$site/topics.db

[token]
store_file = /var/lib/es-web-notify/$site/tokens.db

[log]
path = /var/lib/es-web-notify/$site/log/events

END
    esnctl keygen --dir "$config" publish admin ticket
} >"$config/es-web-notify.conf.new"
mv "$config/es-web-notify.conf.new" "$config/es-web-notify.conf"
chown "esn-event:$group" "$config/publish.token"
chmod 440 "$config/publish.token"
echo "The site $site: systemctl daemon-reload; systemctl enable --now esn-fanout@$site esn-event@$site esn-subscribe@$site"
echo "The first site's services see nothing of it from their next start on: systemctl restart esn-fanout esn-event esn-subscribe"
