#!/bin/sh
# Creates the logins of docker-compose.yml when the container of Postgres starts on an empty volume: one owns the database and
# migrates, the other runs the service and can do only what it needs.
set -eu
psql --set=ON_ERROR_STOP=1 --set=owner="$OWNER_PASSWORD" --set=service="$SERVICE_PASSWORD" --dbname=postgres <<'SQL'
create role biotrack_owner login createrole password :'owner';
create role biotrack_service nologin noinherit;
grant biotrack_service to biotrack_owner with admin option;
create role biotrack_connect login password :'service' in role biotrack_service;
create database biotrack_connect owner biotrack_owner;
SQL
