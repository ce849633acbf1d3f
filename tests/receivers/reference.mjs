// node reference.mjs --secrets FILE [--scheme 8bit|standard-webhooks] [--database FILE]: the receiver that keeps the contract.
// FILE holds the valid secrets, a line each, and is read for every delivery. Deliveries go to the URL that is printed; GET /count
// tells the number of effects.
import { Receiver, main } from "./receiver.mjs";

main({}, (options) => new Receiver(options));
