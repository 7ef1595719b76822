# Makes es-web-notify-keep.conf of es-web-notify.conf: posts go to the upstream of es-web-notify-upstream.conf.
s|fastcgi_pass unix:/run/es-web-notify/event.sock;|fastcgi_pass esn_event; fastcgi_keep_conn on;|
