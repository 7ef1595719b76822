# Makes of each unit the one for further sites on the same machine, esn-fanout@SITE.service and so on (deploy/add-site.sh;
# docs/operate.md, "Several sites"): settings, sockets and data in folders of the site's own, and those of no other site in sight.
/^# Beside esn-/d
/^# The socket that/d
/^# Its user and groups/d
s|^Description=.*|& of %i|
s#esn-\([a-z]*\)\.\(service\|socket\)#esn-\1@%i.\2#g
s|/etc/es-web-notify\.conf|/etc/es-web-notify/%i/es-web-notify.conf|
s|^ListenStream=/run/es-web-notify/|&%i/|
s|^ListenDatagram=/run/es-web-notify/|&%i/|
s|^ReadWritePaths=-*\(/[a-z/-]*\)$|BindPaths=\1/%i|
s|^StateDirectory=es-web-notify/|&%i/|
/^NoNewPrivileges=/i\
TemporaryFileSystem=/etc/es-web-notify:ro /run/es-web-notify:ro /var/lib/es-web-notify:ro\
BindReadOnlyPaths=/etc/es-web-notify/%i\
BindPaths=/run/es-web-notify/%i /var/lib/es-web-notify/%i\

