# shellcheck shell=bash disable=SC2034,SC2154
# The web server's own settings. What concerns es-web-notify is included from deploy/nginx or deploy/apache, with the
# addresses of this start.

write_web_settings() {
    "print_${web}_include" >"$dir/conf/web-es-web-notify.conf" && "print_${web}_conf" >"$dir/conf/$web.conf"
}

# Reads a file of deploy/.
with_own_addresses() { # FILE
    sed -e "s|127\.0\.0\.1:8010|127.0.0.1:$fanout_port|" -e "s|/run/es-web-notify/|$sockets/|" \
        -e "s|/usr/local/libexec|$dir/install/libexec|" -e "s|/etc/es-web-notify\.conf|$conf|" "$1"
}

print_nginx_include() {
    if ((nodes)); then
        sed -f "$here/nginx/es-web-notify-nodes.sed" "$here/nginx/es-web-notify.conf" >"$dir/conf/web-nodes.conf" &&
            with_own_addresses "$dir/conf/web-nodes.conf"
    else
        with_own_addresses "$here/nginx/es-web-notify.conf"
    fi
}

# The three daemons of the file of deploy/ are as many here.
print_nginx_upstream() {
    local line node one
    ((nodes)) || return 0
    while IFS= read -r line; do
        if [[ $line == *10.0.0.1:8010* ]]; then
            for ((node = 1; node <= nodes; node++)); do
                one=${line/10.0.0.1:8010/127.0.0.1:${node_ports[node]}}
                printf '%s\n' "${one/node\/1\//node/$node/}"
            done
        elif [[ $line != *10.0.0.* ]]; then
            printf '%s\n' "$line"
        fi
    done <"$here/nginx/es-web-notify-nodes-upstream.conf"
}

print_apache_include() {
    local file=es-web-notify.conf
    [[ $handoff == redirect ]] && file=es-web-notify-redirect.conf
    with_own_addresses "$here/apache/$file"
}

print_nginx_tls() {
    [[ $tls == no ]] || printf '        %s\n' "ssl_certificate $certificate;" "ssl_certificate_key $dir/conf/tls.key;" \
        'ssl_protocols TLSv1.2 TLSv1.3;'
}

print_nginx_conf() {
    ((run_as_root)) && echo 'user root;'
    cat <<END
daemon off;
worker_processes auto;
pid $dir/run/nginx.pid;
error_log $dir/log/nginx.log;
events {
    # A held stream takes two: one to the browser and one to the daemon.
    worker_connections $((open_files < 32768 ? open_files : 32768));
}
http {
    include /etc/nginx/mime.types;
    access_log off;
    server_tokens off;
    client_body_temp_path $dir/run/nginx-body;
    proxy_temp_path $dir/run/nginx-proxy;
    fastcgi_temp_path $dir/run/nginx-fastcgi;
    uwsgi_temp_path $dir/run/nginx-uwsgi;
    scgi_temp_path $dir/run/nginx-scgi;
$(print_nginx_upstream)
    server {
        listen 127.0.0.1:$port ${certificate:+ssl }backlog=4096;
$(print_nginx_tls)
        include $dir/conf/web-es-web-notify.conf;

        root $dir/source/deploy/demo;
        index index.php;
        charset utf-8;
        location / {
            add_header Cache-Control no-cache;
        }
        # The client package, as it is: pages import /client/index.js.
        location /client/ {
            alias $dir/source/clients/js/src/;
            add_header Cache-Control no-cache;
        }
        location ~ \.php\$ {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
            fastcgi_pass unix:$sockets/php.sock;
        }
        # The binding server is asked by esn-subscribe alone.
        location = /binding.php {
            allow 127.0.0.1;
            deny all;
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
            fastcgi_pass unix:$sockets/php.sock;
        }
        location ~ \.sql\$ {
            deny all;
        }
    }
}
END
}

apache_modules() {
    printf '%s\n' mpm_event authz_core authz_host alias dir mime env headers setenvif rewrite proxy proxy_http proxy_fcgi
    [[ $handoff == redirect ]] || echo fcgid
    [[ $tls == no ]] || echo ssl
}

print_apache_tls() {
    [[ $tls == no ]] || printf '    %s\n' 'SSLEngine on' "SSLCertificateFile $certificate" "SSLCertificateKeyFile $dir/conf/tls.key" \
        'SSLProtocol -all +TLSv1.2 +TLSv1.3'
}

print_apache_conf() {
    cat <<END
ServerRoot $dir/run
ServerName localhost
ServerTokens Prod
PidFile $dir/run/apache.pid
DefaultRuntimeDir $dir/run
ErrorLog $dir/log/apache.log
LogLevel warn
Listen 127.0.0.1:$port
ListenBacklog 4096
END
    local module
    for module in $(apache_modules); do
        echo "LoadModule ${module}_module $apache_module_folder/mod_$module.so"
    done
    [[ $handoff == redirect ]] || printf '%s\n' "FcgidIPCDir $sockets/fcgid" "FcgidProcessTableFile $dir/run/fcgid_shm"
    cat <<END
# A held stream that is handed over locally takes a thread.
ThreadLimit 128
ThreadsPerChild 128
ServerLimit 32
MaxRequestWorkers 4096
MaxSpareThreads 4096
TypesConfig /dev/null
AddType text/css .css
AddType text/javascript .js
AddType image/svg+xml .svg
AddDefaultCharset utf-8
<VirtualHost 127.0.0.1:$port>
$(print_apache_tls)
    Include $dir/conf/web-es-web-notify.conf

    DocumentRoot $dir/source/deploy/demo
    DirectoryIndex index.php
    <Directory $dir/source/deploy/demo>
        Require all granted
        Header set Cache-Control no-cache "expr=%{REQUEST_URI} !~ /\\.php\$/"
    </Directory>
    # The client package, as it is: pages import /client/index.js.
    Alias "/client/" "$dir/source/clients/js/src/"
    <Directory $dir/source/clients/js/src>
        Require all granted
        Header set Cache-Control no-cache
    </Directory>
    <FilesMatch "\\.php\$">
        SetHandler "proxy:unix:$sockets/php.sock|fcgi://localhost"
    </FilesMatch>
    # The binding server is asked by esn-subscribe alone.
    <Location "/binding.php">
        Require local
    </Location>
    <FilesMatch "\\.sql\$">
        Require all denied
    </FilesMatch>
</VirtualHost>
END
}
