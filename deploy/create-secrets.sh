#!/bin/sh
# Create deploy/secrets for compose.yaml: the Slack tokens that you paste, and keys and passwords. What exists stays.
# Run it again after an upgrade: it writes users.acl from docs/redis-users.acl, with the same passwords.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets hosts

random() { od -An -vtx1 -N32 /dev/urandom | tr -d ' \n'; }

save() { # NAME: save standard input as a secret
    cat > "secrets/$1.new"
    chmod 444 "secrets/$1.new" # for the users in the containers; no other user of this machine can enter the folder
    mv -f "secrets/$1.new" "secrets/$1"
}

ask() { # NAME PREFIX VALUE: save the value, or what you paste
    token=$3
    if [ -s "secrets/$1" ]; then return; fi
    if [ -z "$token" ]; then
        printf '%s (%s…, not shown): ' "$1" "$2" >&2
        if [ -t 0 ]; then stty -echo; fi
        read -r token || true
        if [ -t 0 ]; then stty echo; fi
        echo >&2
    fi
    case $token in
        "$2"*) printf %s "$token" | save "$1" ;;
        *) echo "$1: this is no token that starts with $2. Nothing was saved; run this again." >&2; exit 1 ;;
    esac
}

ask slack_bot_token xoxb- "${SLACK_BOT_TOKEN:-}"
ask slack_app_token xapp- "${SLACK_APP_TOKEN:-}"
for name in signing_key audit_key; do
    [ -s "secrets/$name" ] || random | save "$name"
done

rules=$(cat ../docs/redis-users.acl)
for user in bot reconciler jobs admin; do
    [ -s "secrets/redis_url_$user" ] || printf 'redis://imker-%s:%s@valkey:6379/0' "$user" "$(random)" | save "redis_url_$user"
    password=$(sed 's/^[^:]*:[^:]*:\([^@]*\)@.*/\1/' "secrets/redis_url_$user")
    digest=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    rules=$(printf '%s\n' "$rules" | sed "s/>change-me-$user /#$digest /")
done
printf '%s\n' "$rules" | save users.acl

if [ "$(id -u)" = 0 ]; then
    chown -R 10001:10001 hosts
else
    echo "When the SSH keys are in deploy/hosts: sudo chown -R 10001:10001 deploy/hosts" >&2
fi
