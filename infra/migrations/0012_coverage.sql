-- Coverage: whose referrals must look again and when (a queue, no projection), and what a plan sees that paid before.
create table coverage_due (
    member uuid primary key,
    due_at timestamptz,
    generation int not null default 1
);
create index coverage_due_at on coverage_due (due_at) where due_at is not null;
grant select, insert, update on coverage_due to refex_writer;
grant select on coverage_due to refex_reader;

create index referral_member on referral ((state ->> 'member'))
    where status not in ('completed', 'failed', 'refused', 'cancelled', 'entered-in-error');
create index referral_payers_before on referral using gin ((state -> 'payers_before') jsonb_path_ops);

-- A plan that paid before sees that the referral was its own; views.py shows what stood when it left, and no more.
-- Its facts are those recorded while it paid: history keeps the payer of each.
create policy api_saw on referral for select to refex_api using (
    asking_type() = 'mco'
    and state -> 'payers_before' @> jsonb_build_array(jsonb_build_object('payer', asking_organization())));
