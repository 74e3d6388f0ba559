-- Run once by the postgres image on an empty data directory: the role that owns the exchange's database. Not a
-- superuser: those see through row-level security. CREATEROLE is for the migrations, which make the parts' roles.
\set ON_ERROR_STOP on
\set owner_password `cat "$REFEX_OWNER_PASSWORD_FILE"`
create role refex_owner login createrole password :'owner_password';
create database refex owner refex_owner;
