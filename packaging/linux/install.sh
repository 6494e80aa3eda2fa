#!/bin/sh
# Installs OrgSeg for one user, without being root: sh install.sh   (sh install.sh --remove undoes it)
# Projects are never touched: they lie where you put them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
share=${XDG_DATA_HOME:-$HOME/.local/share}
bin=$HOME/.local/bin
app=$share/orgseg-app

refresh() {
    command -v update-desktop-database >/dev/null && update-desktop-database -q "$share/applications" || true
    command -v update-mime-database >/dev/null && update-mime-database "$share/mime" >/dev/null 2>&1 || true
}

remove() {
    rm -rf "$app"
    rm -f "$bin/orgseg" "$share/applications/orgseg.desktop" "$share/mime/packages/orgseg.xml" \
        "$share"/icons/hicolor/*/apps/orgseg.png "$share/icons/hicolor/scalable/apps/orgseg.svg"
    refresh
}

if [ "${1:-}" = --remove ]; then
    remove
    echo "OrgSeg was removed. Your projects and settings are where they were."
    exit 0
fi
mkdir -p "$app.new" "$bin" "$share/applications" "$share/mime/packages"
cp -R "$here/OrgSeg/." "$app.new/"
rm -rf "$app"
mv "$app.new" "$app"
cp "$here/install.sh" "$app/install.sh"
ln -sf "$app/orgseg" "$bin/orgseg"
# In quotes for menus, where "%" is said twice; and \, & and | mean something to sed.
program=$(printf '%s' "$app/orgseg" | sed 's/%/%%/g; s/[\\&|]/\\&/g')
sed "s|^Exec=orgseg|Exec=\"$program\"|" "$here/share/orgseg.desktop" >"$share/applications/orgseg.desktop"
cp "$here/share/orgseg-mime.xml" "$share/mime/packages/orgseg.xml"
for picture in "$here"/share/icons/orgseg-*.png; do
    side=$(basename "$picture" .png)
    side=${side#orgseg-}
    mkdir -p "$share/icons/hicolor/${side}x$side/apps"
    cp "$picture" "$share/icons/hicolor/${side}x$side/apps/orgseg.png"
done
mkdir -p "$share/icons/hicolor/scalable/apps"
cp "$here/share/orgseg.svg" "$share/icons/hicolor/scalable/apps/orgseg.svg"
refresh
echo "OrgSeg is installed: in the menu under Science, or as $bin/orgseg."
echo "To remove it: sh \"$app/install.sh\" --remove"
