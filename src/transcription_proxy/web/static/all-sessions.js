/** The page with all sessions, in pages, and as a CSV file. */

import { byId } from "./dom.js";
import { offerDownload } from "./download.js";
import "./frame.js";
import { Listing } from "./listing.js";
import { noSessions, sessionTable } from "./sessions.js";

offerDownload(byId("download"), byId("download-alert"), "/account/sessions.csv");
new Listing({
  path: "/account/sessions",
  name: "sessions",
  moment: ({ started_at }) => started_at,
  table: sessionTable,
  empty: noSessions,
});
