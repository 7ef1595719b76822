# Makes es-web-notify-nodes.conf of es-web-notify.conf: streams go to the daemons of es-web-notify-nodes-upstream.conf.
s|^# What to change: the daemon's address (127.0.0.1:8010, \[fanout\] listen), the|# Several daemons: es-web-notify-nodes-upstream.conf has their addresses. What to change: the|
s|^\( *\)proxy_pass http://127\.0\.0\.1:8010\(.*\);$|\1proxy_pass http://esn_fanout\2;\
\1# One that is away, stops, or is cut off from Redis (503) is passed over.\
\1proxy_connect_timeout 1s;\
\1proxy_next_upstream error timeout http_503 non_idempotent;|
/^# All else goes straight to esn-fanout/i\
# A daemon's own way ([fanout] node_url): for who has to come to it and to no other. When it does not serve, another one does.\
location ^~ /notify/node/ {\
    access_log off;\
    error_log stderr emerg;\
    rewrite ^/notify(/node/.*)$ /_fanout$1 last;\
}\
location ^~ /_fanout/node/ {\
    internal;\
    access_log off;\
    error_log stderr emerg;\
    location ~ ^/_fanout(?<esn_below>/node/.*)$ {\
        internal;\
        access_log off;\
        error_log stderr emerg;\
        if ($esn_node = "") {\
            rewrite ^/_fanout/node/[^/]+/(.*)$ /_fanout/$1 last;\
        }\
        proxy_pass http://$esn_node$esn_below$is_args$args;\
        proxy_connect_timeout 1s;\
        proxy_http_version 1.1;\
        proxy_set_header Upgrade $http_upgrade;\
        proxy_set_header Connection $esn_connection;\
        proxy_set_header X-Forwarded-For $remote_addr;\
        proxy_set_header Forwarded "";\
        proxy_buffering off;\
        gzip off;\
        proxy_read_timeout 1d;\
        proxy_send_timeout 1d;\
        client_max_body_size 2m;\
        proxy_intercept_errors on;\
        recursive_error_pages on;\
        error_page 413 = @esn_too_large;\
        error_page 502 503 504 = @esn_another_node;\
    }\
}\
location @esn_another_node {\
    access_log off;\
    error_log stderr emerg;\
    rewrite ^/_fanout/node/[^/]+/(.*)$ /_fanout/$1 last;\
}\

