-- The sample shop. Moments that the queries compare with {{last_sync_time}} are unix seconds;
-- subscriptions keeps a datetime2, for {{last_sync_datetime}}.

CREATE TABLE users (
    id             int            NOT NULL PRIMARY KEY,
    email_address  nvarchar(320)  NULL,
    fname          nvarchar(100)  NULL,
    lname          nvarchar(100)  NULL,
    msisdn         varchar(20)    NULL,
    last_updated   bigint         NOT NULL
);

CREATE TABLE events (
    id             int            NOT NULL,  -- of the user
    event_name     nvarchar(100)  NULL,
    products       nvarchar(max)  NULL,      -- JSON
    total_price    decimal(12, 2) NULL,
    [timestamp]    bigint         NOT NULL
);

CREATE TABLE companies (
    companyId      int            NOT NULL,
    objectTypeId   int            NOT NULL,
    companyname    nvarchar(200)  NOT NULL,
    employees      int            NULL,
    personId       int            NOT NULL,
    last_updated   bigint         NOT NULL
);

CREATE TABLE pages (
    id             int            NOT NULL,  -- of the user
    metatitle      nvarchar(200)  NULL,
    url            nvarchar(400)  NOT NULL,
    time_on_page   float          NULL,      -- seconds
    [timestamp]    bigint         NOT NULL
);

CREATE TABLE screens (
    id              int           NOT NULL,  -- of the user
    screen_name     nvarchar(100) NOT NULL,
    session_started datetime2(3)  NULL,
    [timestamp]     bigint        NOT NULL
);

CREATE TABLE user_resolution (
    id             int            NOT NULL,  -- of the user
    old_id         varchar(40)    NULL,      -- what the user was known by before
    [timestamp]    bigint         NOT NULL
);

CREATE TABLE subscriptions (
    user_id        int            NOT NULL PRIMARY KEY,
    plan_name      nvarchar(50)   NOT NULL,
    monthly_price  money          NOT NULL,
    is_trial       bit            NOT NULL,
    renews_on      date           NULL,
    updated_at     datetime2(3)   NOT NULL
);
