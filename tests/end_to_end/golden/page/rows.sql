INSERT INTO pages (id, metatitle, url, time_on_page, [timestamp]) VALUES
    (1, N'Coffee & tea » everything', N'https://shop.example/c/coffee?sort=price&dir=asc', 61.25, 1735689600),
    (2, N'Home', N'https://shop.example/', NULL, 1735689601),
    (3, NULL, N'https://shop.example/', 0.1, 1735689602);
