/** The page with all purchases, in pages, and as a CSV file. */

import { byId } from "./dom.js";
import { offerDownload } from "./download.js";
import "./frame.js";
import { Listing } from "./listing.js";
import { noPurchases, purchaseTable } from "./purchases.js";

offerDownload(byId("download"), byId("download-alert"), "/account/purchases.csv");
new Listing({
  path: "/account/purchases",
  name: "purchases",
  moment: ({ date }) => date,
  table: purchaseTable,
  empty: noPurchases,
});
