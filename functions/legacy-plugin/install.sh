#!/usr/bin/env bash
# Makes pgrender a legacy exec plugin of kustomize, which `kubectl kustomize --enable-alpha-plugins` runs too:
#   install.sh [PROGRAM]    PROGRAM is the pgrender on PATH unless given
# kustomize looks for a plugin at <plugin home>/<apiVersion>/<kind in lower case>/<Kind>; the plugin home is
# KUSTOMIZE_PLUGIN_HOME, else kustomize/plugin below XDG_CONFIG_HOME or ~/.config.
set -euo pipefail

program=$(command -v "${1:-pgrender}") || {
  echo "no \`${1:-pgrender}\` found: build it with \`cargo install --path .\`, or say where it is" >&2
  exit 1
}
program=$(realpath "$program")
home=${KUSTOMIZE_PLUGIN_HOME:-${XDG_CONFIG_HOME:-$HOME/.config}/kustomize/plugin}

for plugin in \
  pgrender.dev/v1alpha1/pgrender/PgRender \
  postgres-operator.crunchydata.com/v1/postgrescluster/PostgresCluster \
  postgres-operator.crunchydata.com/v1beta1/postgrescluster/PostgresCluster; do
  mkdir -p "$home/${plugin%/*}"
  ln -sfn "$program" "$home/$plugin"
  echo "$home/$plugin -> $program"
done
