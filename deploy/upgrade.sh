#!/bin/sh
# upgrade.sh: has the services that run, those of further sites too, go on with the programs that are installed now. Each
# esn-fanout hands over to the new one, and no stream ends (docs/upgrade.md); where that cannot be it is restarted, and its clients
# are told when to come back. The handlers are restarted; who posts or comes meanwhile waits at their sockets. Where the new
# programs would not start with a site's settings, all of it stays as it is. The Debian package calls this.
set -u

# What deb-systemd-invoke asks before it restarts something.
may_restart() { # UNIT
    [ -x /usr/sbin/policy-rc.d ] || return 0
    status=0
    /usr/sbin/policy-rc.d "$1" restart || status=$?
    [ "$status" -ne 101 ]
}

upgrade_daemon() { # UNIT SETTINGS
    may_restart "$1" || return 0
    if ! ESN_CONF=$2 esnctl upgrade; then
        echo "$1: restarted instead; its clients are told when to come back." >&2
        systemctl restart "$1"
    fi
}

upgrade_site() { # SETTINGS @SITE
    if ! esn-fanout --config "$1" --check-config >/dev/null; then
        echo "esn-fanout$2, esn-event$2, esn-subscribe$2: the new programs would not start with these settings. Those of before serve on." >&2
        echo "Mend them, then: $0" >&2
        return
    fi
    ! systemctl --quiet is-active "esn-fanout$2.service" || upgrade_daemon "esn-fanout$2.service" "$1"
    for handler in esn-event esn-subscribe esn-outbox; do
        ! may_restart "$handler$2.service" || systemctl try-restart "$handler$2.service"
    done
}

systemctl daemon-reload
upgrade_site /etc/es-web-notify.conf ''
for settings in /etc/es-web-notify/*/es-web-notify.conf; do
    [ ! -e "$settings" ] || upgrade_site "$settings" "@$(basename "$(dirname "$settings")")"
done
