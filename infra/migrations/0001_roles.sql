-- The roles of architecture 12. The login that migrates is the owner; it must not be a superuser.
-- Parts log in with the owner's URL and take their role at session start, or with logins of their own.
do $$
declare
    name text;
begin
    foreach name in array array['refex_writer', 'refex_relay', 'refex_reader', 'refex_api'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I nologin', name);
        end if;
        -- Since Postgres 16 whoever makes a role is its member, and yet may not SET ROLE to it.
        if not (case when current_setting('server_version_num')::int >= 160000
            then pg_has_role(current_user, name, 'set') else pg_has_role(current_user, name, 'member') end) then
            execute format('grant %I to %I', name, current_user);
        end if;
        execute format('grant usage on schema %I to %I', current_schema(), name);
    end loop;
end
$$;

-- Who asks, for row-level security: set per transaction by the API, empty (and so matching nothing) otherwise.
create function asking_organization() returns text language sql stable parallel safe
    as $$ select nullif(current_setting('refex.organization', true), '') $$;
create function asking_type() returns text language sql stable parallel safe
    as $$ select nullif(current_setting('refex.organization_type', true), '') $$;
