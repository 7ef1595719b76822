#!/bin/sh
# Prints C with the bytes of the page's files: make-window-files.sh FOLDER
set -eu
type_of() {
    case $1 in
    *.html) echo 'text/html;charset=utf-8' ;;
    *.css) echo 'text/css;charset=utf-8' ;;
    *.js) echo 'text/javascript;charset=utf-8' ;;
    esac
}
echo '#include "requests/window_files.h"'
for file in window.html window.css window.js ask.js chart.js words.js; do
    echo "static const unsigned char bytes_of_$(echo "$file" | tr . _)[] = {"
    od -An -v -tx1 "$1/$file" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
done
echo 'const struct window_file window_files[] = {'
for file in window.html window.css window.js ask.js chart.js words.js; do
    name=bytes_of_$(echo "$file" | tr . _)
    path=/window/$file
    [ "$file" != window.html ] || path=/window
    echo "    {\"$path\", \"$(type_of "$file")\", $name, sizeof $name},"
done
echo '    {0, 0, 0, 0},'
echo '};'
