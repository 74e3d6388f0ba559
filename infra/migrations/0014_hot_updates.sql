-- An answer changes `state` and `status` of a referral and nothing that is searched for. While indexes were made of
-- those two, every answer wrote ten index entries anew; made of columns that seldom change, it writes none (HOT), where
-- the page has room for one more version of the row.
alter table referral
    add column consent_id text generated always as (state ->> 'consent_id') stored,
    add column member text generated always as (state ->> 'member') stored,
    add column payers_before jsonb generated always as (state -> 'payers_before') stored,
    add column closed boolean generated always as (
        status in ('completed', 'failed', 'refused', 'cancelled', 'entered-in-error')) stored;

drop index referral_consent, referral_member, referral_payers_before, referral_review;
create index referral_consent on referral (sender, consent_id) where consent_id is not null;
create index referral_member on referral (member) where member is not null and not closed;
create index referral_payers_before on referral using gin (payers_before jsonb_path_ops);
create index referral_reviewed on referral (hub, created_at desc, id) where reviewed;

alter policy api_saw on referral using (
    asking_type() = 'mco' and payers_before @> jsonb_build_array(jsonb_build_object('payer', asking_organization())));

alter table referral set (fillfactor = 60);

-- What is long is JSON: lz4 makes it as small as the default in a fraction of the time, where the server has it.
do $$
declare
    part text;
begin
    if (select 'lz4' = any (enumvals) from pg_settings where name = 'default_toast_compression') then
        alter table referral alter column state set compression lz4, alter column decision set compression lz4;
        alter table history alter column data set compression lz4;
        for part in select inhrelid::regclass::text from pg_inherits where inhparent = 'history'::regclass loop
            execute format('alter table %s alter column data set compression lz4', part);
        end loop;
    end if;
end
$$;
