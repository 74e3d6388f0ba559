-- Who may see and change what: grants per role, and row-level security, forced, on every tenant table.
grant select, insert, update on progress, lane, inbox, referral, hop, stream, service, directory_version, delivery
    to refex_writer;
grant select, insert, update, delete on deadline to refex_writer;
grant select, insert on history, rejected_command to refex_writer;
grant select, insert, update on dead_letter to refex_writer;
grant select on organization, relay_position to refex_writer;
grant update (created_at) on organization to refex_writer;

grant select on history, dead_letter, lane, organization, progress to refex_relay;
grant select, update on relay_position to refex_relay;
grant select, insert, update on relay_end to refex_relay;

grant select on all tables in schema public to refex_reader;
revoke select on client, app_user, session, access_token from refex_reader;

grant select on organization, inbox, referral, hop, history, rejected_command, stream, service, directory_version,
    progress, relay_position, lane, delivery, client, app_user, deadline to refex_api;
grant select, insert, update, delete on session, access_token, idempotency to refex_api;

do $$
declare
    name text;
begin
    for name in
        select c.relname from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
        where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
    loop
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy owner_all on %I to current_user using (true) with check (true)', name);
        execute format('create policy writer_all on %I to refex_writer using (true) with check (true)', name);
        execute format('create policy relay_all on %I for select to refex_relay using (true)', name);
        execute format('create policy reader_all on %I for select to refex_reader using (true)', name);
    end loop;
end
$$;

-- A referral: its sender, the organizations it was routed to, its payer, the hub that reviewed it; the
-- operator and the state see rows, and the API gives them ids and counts alone.
create policy api_sees on referral for select to refex_api using (
    sender = asking_organization() or payer = asking_organization()
    or asking_organization() = any (recipients)
    or (reviewed and hub = asking_organization()) or asking_type() = 'operator');
create policy api_sees on hop for select to refex_api using (
    recipient = asking_organization() or sender = asking_organization() or payer = asking_organization()
    or (asking_type() in ('hub', 'operator') and exists (select from referral r where r.id = hop.referral_id)));
create policy api_sees on deadline for select to refex_api using (asking_type() = 'operator');
create policy api_sees on history for select to refex_api using (
    tenant = asking_organization() or sender = asking_organization() or payer = asking_organization()
    or asking_organization() = any (recipients) or asking_type() = 'operator'
    or (asking_type() = 'hub' and exists (select from referral r where r.id = history.stream_id)));
create policy api_sees on inbox for select to refex_api using (
    tenant = asking_organization() or asking_type() = 'operator');
create policy api_sees on rejected_command for select to refex_api using (
    tenant = asking_organization() or asking_type() = 'operator');
create policy api_sees on delivery for select to refex_api using (recipient = asking_organization());
create policy api_sees on stream for select to refex_api using (
    tenant = asking_organization() or asking_type() = 'operator');
create policy api_sees on service for select to refex_api using (true);
create policy api_all on idempotency to refex_api
    using (tenant = asking_organization()) with check (tenant = asking_organization());
create policy api_forgets on idempotency to refex_api
    using (created_at < now() - interval '30 days') with check (false);
-- Before a caller is known the API itself asks, by secret: these three it reads and writes as itself.
create policy api_all on session to refex_api using (true) with check (true);
create policy api_all on access_token to refex_api using (true) with check (true);
create policy api_sees on client for select to refex_api using (true);
create policy api_sees on app_user for select to refex_api using (true);
